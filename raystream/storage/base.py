"""What we ask of durable storage."""

from __future__ import annotations

from collections.abc import Iterable
from enum import Enum
from typing import Protocol


class Put(Enum):
    """Outcome of a conditional create."""

    CREATED = "created"
    EXISTS = "exists"
    UNKNOWN = "unknown"


class Store(Protocol):
    """A flat space of immutable objects under one root. Blocking; safe to call from any thread."""

    @property
    def url(self) -> str:
        """Where this is, for people and for opening it again in another process."""
        ...

    def create(self, key: str, data: bytes) -> Put:
        """Atomic create-if-absent, durable when it returns CREATED."""
        ...

    def get(self, key: str) -> bytes | None:
        """The object's bytes, or None if there is no such object.

        Raises:
            StorageError: the storage could not be read.
        """
        ...

    def list(self, prefix: str) -> list[str]:
        """Keys that start with `prefix`, sorted."""
        ...

    def delete(self, keys: Iterable[str]) -> None:
        """Delete these objects; an absent one is no error."""
        ...
