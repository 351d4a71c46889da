"""Stands in for the host in tests, which run natively: `python3 -m unittest`."""

from __future__ import annotations

import dataclasses
import json
from typing import TypeVar
from unittest import mock

from componentize_py_types import Err
from wit_world import exports
from wit_world.imports import atomics, events, logging, wasi_config_store, wasi_keyvalue_store
from wit_world.imports.events import Event
from wit_world.imports.hookbox_plugin_types import Delivery, Failure

from . import http


T = TypeVar("T")


class FakeHost:
    """What the plugin sees of the host, and what it did there: `with FakeHost() as host:`."""

    def __init__(self) -> None:
        # Settings and secrets.
        self.config: dict[str, str] = {}
        # What the next requests get, first to last; `answer` adds one.
        self.answers: list[http.Response] = []
        # Requests that were sent: method, URL, header fields, body.
        self.requests: list[tuple[str, str, dict[str, str], bytes]] = []
        # Lines that `log` wrote.
        self.lines: list[str] = []
        # State. Counters are in it as text.
        self.keyvalue: dict[str, bytes] = {}
        self._patches = [
            mock.patch.object(logging, "log", self._log),
            mock.patch.object(wasi_config_store, "get", self.config.get),
            mock.patch.object(wasi_keyvalue_store, "open", lambda _: _Bucket(self)),
            mock.patch.object(atomics, "increment", lambda bucket, *more: bucket.increment(*more)),
            mock.patch.object(http, "request", self._request),
        ]

    def __enter__(self) -> FakeHost:
        for patch in self._patches:
            patch.start()
        return self

    def __exit__(self, *_: object) -> None:
        for patch in self._patches:
            patch.stop()

    def deliver(
        self, handler: type[exports.Handler], event: Event, to: Delivery | None = None
    ) -> Failure | None:
        """Calls a plugin as hookbox does: state is kept only after success. Gives
        none for that, or else the failure."""
        before = dict(self.keyvalue)
        try:
            handler().handle(event, to or delivery())
        except Err as error:
            self.keyvalue = before
            return error.value
        return None

    def answer(self, status: int, body: str = "", **headers: str) -> None:
        """The answer to a request that comes. `retry_after` is `retry-after`."""
        fields = {name.replace("_", "-"): value for name, value in headers.items()}
        self.answers.append(http.Response("https://test", status, fields, body.encode()))

    def _log(self, level: logging.Level, context: str, message: str) -> None:
        self.lines.append(message)

    def _request(
        self,
        method: str,
        url: str,
        *,
        headers: dict[str, str] | None = None,
        body: bytes | str = b"",
    ) -> http.Response:
        body = body.encode() if isinstance(body, str) else body
        self.requests.append((method, url, headers or {}, body))
        return self.answers.pop(0)


class _Bucket:
    def __init__(self, host: FakeHost) -> None:
        self._host = host

    def get(self, key: str) -> bytes | None:
        return self._host.keyvalue.get(key)

    def set(self, key: str, value: bytes) -> None:
        self._host.keyvalue[key] = value

    def delete(self, key: str) -> None:
        self._host.keyvalue.pop(key, None)

    def exists(self, key: str) -> bool:
        return key in self._host.keyvalue

    def list_keys(self, cursor: int | None) -> wasi_keyvalue_store.KeyResponse:
        return wasi_keyvalue_store.KeyResponse(list(self._host.keyvalue), None)

    def increment(self, key: str, delta: int) -> int:
        value = int(self._host.keyvalue.get(key, b"0")) + delta
        self._host.keyvalue[key] = str(value).encode()
        return value


def event(name: str, payload: events.Payload | None = None, **more: object) -> Event:
    """An event as hookbox hands it over, such as
    `event("add_video", events.Payload_AddVideo(record(events.VideoChange, id="5")))`."""
    plain = Event(
        name=name,
        payload=payload or events.Payload_Other(),
        scope=None,
        method=None,
        api=None,
        timestamp=None,
        extra=[],
        document=json.dumps({"event": name}),
    )
    return dataclasses.replace(plain, **more)  # type: ignore[arg-type]


def record(kind: type[T], **fields: object) -> T:
    """A record of the payload: fields that are not named are empty."""
    named = {field.name: field.type for field in dataclasses.fields(kind)}  # type: ignore[arg-type]
    empty = {name: [] if str(of).startswith(("List", "typing.List")) else None for name, of in named.items()}
    return kind(**{**empty, **fields})


def delivery(**more: object) -> Delivery:
    """A delivery: of the source `main`, the first attempt."""
    plain = Delivery(
        id="00000000-0000-7000-8000-000000000001",
        event_id="00000000-0000-7000-8000-000000000002",
        source="main",
        attempt=1,
        received_at=1_700_000_000_000,
        replay=False,
    )
    return dataclasses.replace(plain, **more)  # type: ignore[arg-type]
