"""Outcomes other than success, and what becomes of exceptions."""

import traceback

from componentize_py_types import Err
from wit_world.imports import hookbox_plugin_types as types


# The longest wait that hookbox keeps to: seven days.
AFTER_MS_MAX = 604_800_000


class Failure(Exception):
    """Raised by a handler to say what hookbox should do. The text is for the operator."""

    def variant(self) -> types.Failure:
        raise NotImplementedError


class Retry(Failure):
    """It may work later."""

    def variant(self) -> types.Failure:
        return types.Failure_Retry(str(self))


class RetryAfter(Failure):
    """It may work later, not before `after_ms` milliseconds from now, at most seven days."""

    def __init__(self, reason: str, after_ms: float) -> None:
        super().__init__(reason)
        self.after_ms = round(min(max(0, after_ms), AFTER_MS_MAX))

    def variant(self) -> types.Failure:
        return types.Failure_RetryAfter(types.RetryLater(str(self), self.after_ms))


class Reject(Failure):
    """Never try again: this event is of no use to this plugin."""

    def variant(self) -> types.Failure:
        return types.Failure_Reject(str(self))


def as_outcome(error: Exception) -> Exception:
    """What hookbox is told of an exception."""
    if isinstance(error, Failure):
        return Err(error.variant())
    if isinstance(error, MemoryError):
        # The call ends by it, and hookbox names the limit.
        return error
    # The first frame is that of this package.
    stack = traceback.extract_tb(error.__traceback__)[1:]
    # The numbered folders are where the build put the sources.
    frames = [f'    at {at.name} ({at.filename.lstrip("/0123456789")}:{at.lineno})' for at in reversed(stack)]
    what = "".join(traceback.format_exception_only(error)).strip()
    if isinstance(error, Err):
        what = f"refused by the host: {error.value}"
    return Err(types.Failure_Retry("\n".join([what, *frames])))
