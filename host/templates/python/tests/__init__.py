"""Tests of the plugin, natively. `bindings` stands in for what the build makes."""

import sys
from pathlib import Path

sys.path[:0] = [str(Path(__file__).parent.parent / folder) for folder in ("src", "bindings")]
