"""State of the plugin's own. What a call writes is kept only if it succeeds, so
each delivery is seen exactly once. Values are bytes, or text in UTF-8."""

from wit_world.imports import atomics, wasi_keyvalue_store


def _bucket() -> wasi_keyvalue_store.Bucket:
    return wasi_keyvalue_store.open("")


def get(key: str) -> bytes | None:
    return _bucket().get(key)


def get_text(key: str) -> str | None:
    value = get(key)
    return None if value is None else value.decode()


def set(key: str, value: bytes | str) -> None:
    _bucket().set(key, value.encode() if isinstance(value, str) else value)


def delete(key: str) -> None:
    _bucket().delete(key)


def exists(key: str) -> bool:
    return _bucket().exists(key)


def increment(key: str, delta: int = 1) -> int:
    """Adds to a counter, 0 at first, and gives its new value."""
    return atomics.increment(_bucket(), key, delta)


def keys() -> list[str]:
    """All keys, in no order; its cost grows with the state."""
    found: list[str] = []
    cursor = None
    while True:
        page = _bucket().list_keys(cursor)
        found += page.keys
        cursor = page.cursor
        if cursor is None:
            return found
