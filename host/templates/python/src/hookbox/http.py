"""Outgoing HTTP. `urllib.request` and libraries on sockets do not work in a
plugin; this does, to origins that the operator granted."""

from __future__ import annotations

import email.utils
import json
import time
from dataclasses import dataclass
from urllib.parse import urlsplit

from componentize_py_types import Err, Ok
from wit_world.imports import outgoing_handler, streams
from wit_world.imports import wasi_http_types as types

from .failure import AFTER_MS_MAX, Failure, Reject, Retry, RetryAfter

# What one write to a stream may carry (`blocking-write-and-flush`).
_WRITE_BYTES_MAX = 4096
_READ_BYTES = 65_536
_SHOWN_CHARS_MAX = 200

_METHODS = {
    "GET": types.Method_Get,
    "HEAD": types.Method_Head,
    "POST": types.Method_Post,
    "PUT": types.Method_Put,
    "DELETE": types.Method_Delete,
    "OPTIONS": types.Method_Options,
    "PATCH": types.Method_Patch,
}


@dataclass
class Response:
    """An answer, whatever its status."""

    origin: str
    status: int
    headers: dict[str, str]
    body: bytes

    def text(self) -> str:
        return self.body.decode(errors="replace")

    def json(self) -> object:
        return json.loads(self.body)

    def success(self) -> Response:
        """Itself if the status is 200 to 299, or what most services mean by
        another one: 408, 425, 429 and 500 on are tried again (by `Retry-After`,
        if there is one), as are redirects, which are not followed; other 400 to
        499 are rejected."""
        if 200 <= self.status < 300:
            return self
        raise self._failure()

    def _failure(self) -> Failure:
        redirect = " (redirects are not followed)" if 300 <= self.status < 400 else ""
        text = self.text().strip()[:_SHOWN_CHARS_MAX]
        reason = f"{self.origin} answered {self.status}{redirect}" + (f": {text}" if text else "")
        if self.status in (408, 425, 429) or self.status >= 500:
            after_ms = _wait_ms(self.headers.get("retry-after", "").strip())
            return Retry(reason) if after_ms is None else RetryAfter(reason, after_ms)
        return Retry(reason) if self.status < 400 else Reject(reason)


def request(
    method: str,
    url: str,
    *,
    headers: dict[str, str] | None = None,
    body: bytes | str = b"",
) -> Response:
    """Sends a request and waits for the whole answer. Where none came, the event
    is tried again: hookbox logs why, beside the attempt."""
    parts = urlsplit(url)
    origin = f"{parts.scheme}://{parts.netloc}"
    body = body.encode() if isinstance(body, str) else body
    fields = {**(headers or {}), **({"content-length": str(len(body))} if body else {})}
    outgoing = types.OutgoingRequest(
        types.Fields.from_list([(name, value.encode()) for name, value in fields.items()])
    )
    outgoing.set_method(_METHODS[method]() if method in _METHODS else types.Method_Other(method))
    outgoing.set_scheme(types.Scheme_Https() if parts.scheme == "https" else types.Scheme_Http())
    outgoing.set_authority(parts.netloc)
    outgoing.set_path_with_query((parts.path or "/") + (f"?{parts.query}" if parts.query else ""))
    try:
        return _exchange(origin, outgoing, body)
    except Err as error:
        # The path may hold a secret.
        raise Retry(f"no answer from {origin}: {error.value}") from None


def post_json(url: str, value: object, headers: dict[str, str] | None = None) -> Response:
    """Posts a value as JSON."""
    fields = {"content-type": "application/json", **(headers or {})}
    return request("POST", url, headers=fields, body=json.dumps(value))


def _exchange(origin: str, outgoing: types.OutgoingRequest, body: bytes) -> Response:
    sink = outgoing.body()
    future = outgoing_handler.handle(outgoing, None)
    # A stream is to be closed before its body is finished.
    with sink.write() as stream:
        for begin in range(0, len(body), _WRITE_BYTES_MAX):
            stream.blocking_write_and_flush(body[begin : begin + _WRITE_BYTES_MAX])
    types.OutgoingBody.finish(sink, None)
    with future.subscribe() as ready:
        ready.block()
    match future.get():
        case Ok(Ok(answer)):
            fields = {name.lower(): value.decode("latin-1") for name, value in answer.headers().entries()}
            return Response(origin, answer.status(), fields, _read(answer.consume()))
        case Ok(Err() as error):
            raise error
        case other:
            raise Err(other)


def _read(incoming: types.IncomingBody) -> bytes:
    parts = []
    with incoming.stream() as stream:
        while True:
            try:
                parts.append(stream.blocking_read(_READ_BYTES))
            except Err as error:
                if isinstance(error.value, streams.StreamError_Closed):
                    return b"".join(parts)
                raise


def _wait_ms(field: str) -> float | None:
    """Milliseconds that `Retry-After` asks for: seconds, or a date (RFC 9110 10.2.3)."""
    if field.isdecimal():
        digits = field.lstrip("0")
        # Python itself refuses numbers of thousands of digits.
        return AFTER_MS_MAX if len(digits) > len(str(AFTER_MS_MAX)) else int(digits or "0") * 1000
    try:
        return max(0.0, email.utils.parsedate_to_datetime(field).timestamp() - time.time()) * 1000
    except (ValueError, OverflowError):
        return None
