"""What a plugin uses of hookbox: its two exports, outcomes, logging, settings,
state (`keyvalue`) and HTTP (`http`). Short on purpose: what is missing here can
be imported from `wit_world.imports` directly.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

from wit_world import exports
from wit_world.imports import events, hookbox_plugin_types, logging, wasi_config_store
from wit_world.imports.events import Event
from wit_world.imports.hookbox_plugin_types import Delivery, Want
from wit_world.imports.logging import Level

from . import http, keyvalue
from .failure import Failure, Reject, Retry, RetryAfter, as_outcome

__all__ = [
    *["Delivery", "Event", "Failure", "Level", "Reject", "Retry", "RetryAfter", "Want"],
    *["config", "events", "http", "keyvalue", "log", "plugin", "required"],
    *["wants_config", "wants_http", "wants_keyvalue", "wants_secret"],
]


def plugin(
    *,
    name: str,
    version: str,
    handle: Callable[[Event, Delivery], None],
    events: Sequence[str] = (),
    wants: Sequence[Want] = (),
) -> tuple[type[exports.About], type[exports.Handler]]:
    """The two exports of a plugin: `About, Handler = hookbox.plugin(…)`.

    `events` are named as the sender spells them; none: every event. `handle` is
    called once for each attempt, in a fresh instance. Returning is success;
    raise `Retry`, `RetryAfter` or `Reject` for other outcomes. Any other
    exception is tried again, with its traceback as the reason.
    """
    description = hookbox_plugin_types.Description(name, version, list(events), list(wants))

    class About(exports.About):
        def describe(self) -> hookbox_plugin_types.Description:
            return description

    class Handler(exports.Handler):
        def handle(self, event: Event, delivery: Delivery) -> None:
            try:
                handle(event, delivery)
            except Exception as error:
                raise as_outcome(error) from None

    return About, Handler


def wants_keyvalue() -> Want:
    """Key-value state of its own."""
    return hookbox_plugin_types.Want_Keyvalue()


def wants_config(key: str) -> Want:
    """A setting that must be there."""
    return hookbox_plugin_types.Want_Config(key)


def wants_secret(key: str) -> Want:
    """A setting that must be there, and whose value is secret."""
    return hookbox_plugin_types.Want_Secret(key)


def wants_http(origin: str) -> Want:
    """HTTP to `scheme://host[:port]`."""
    return hookbox_plugin_types.Want_Http(origin)


def log(level: Level, message: str, context: str = "") -> None:
    """A log line with a level. `print` writes one at info, standard error at warn."""
    logging.log(level, context, message)


def config(key: str) -> str | None:
    """A setting or secret; none where the operator has not set it."""
    return wasi_config_store.get(key)


def required(key: str) -> str:
    """A setting or secret. Where it is missing, the event is tried again."""
    value = config(key)
    if value is None:
        raise Retry(
            f"the setting `{key}` is missing: the operator can set it by `config` or `secrets` "
            "in this plugin's section of the configuration"
        )
    return value
