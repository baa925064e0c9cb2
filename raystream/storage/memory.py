"""A store in a dict, for tests and for runs that need not outlive their process."""

from __future__ import annotations

from collections.abc import Iterable

from raystream.checkpoint.keys import check_key
from raystream.storage.base import Put


class MemoryStore:
    """Objects in memory. Safe to call from any thread: every step is one atomic dict operation.

    Args:
        name: Shown in the URL.

    >>> store = MemoryStore("example")
    >>> store.create("m-0", b"x"), store.create("m-0", b"y"), store.get("m-0")
    (<Put.CREATED: 'created'>, <Put.EXISTS: 'exists'>, b'x')
    """

    def __init__(self, name: str = "") -> None:
        self._name = name
        self._objects: dict[str, list[bytes]] = {}

    @property
    def url(self) -> str:
        """`memory://name`: opens the same store again, in the same process."""
        return f"memory://{self._name}"

    def create(self, key: str, data: bytes) -> Put:
        """Create if absent."""
        mine = [bytes(data)]
        held = self._objects.setdefault(check_key(key), mine)
        return Put.CREATED if held is mine else Put.EXISTS

    def get(self, key: str) -> bytes | None:
        """The object's bytes, or None."""
        held = self._objects.get(check_key(key))
        return None if held is None else held[0]

    def list(self, prefix: str) -> list[str]:
        """Keys that start with `prefix`, sorted."""
        return sorted(key for key in tuple(self._objects) if key.startswith(prefix))

    def delete(self, keys: Iterable[str]) -> None:
        """Delete these objects."""
        for key in keys:
            self._objects.pop(check_key(key), None)

    def __repr__(self) -> str:
        return f"MemoryStore({self._name!r}, {len(self._objects)} objects)"
