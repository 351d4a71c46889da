"""Tests of the plugin, natively. `bindings` stands in for what the build makes."""

import sys
from pathlib import Path

HERE = Path(__file__).parent.parent
TEMPLATE = HERE.parent.parent / "host/templates/python"

sys.path[:0] = [str(folder) for folder in (HERE / "src", TEMPLATE / "src", TEMPLATE / "bindings")]
