"""The interface of durable storage."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Protocol

from raystream.checkpoint.verdicts import Put as Put  # noqa: PLC0414 - the protocol's own word


class Store(Protocol):
    """A flat space of immutable objects under one root. Blocking; safe to call from any thread.

    Reads and listings are strongly consistent. Keys are `part/part/..` of letters, digits and
    `._=-` (see raystream.checkpoint.keys.check_key); any other key raises StorageError.
    """

    @property
    def url(self) -> str:
        """Address, for people and for opening it again in another process."""
        ...

    def create(self, key: str, data: bytes) -> Put:
        """Atomic create-if-absent, durable when it returns CREATED.

        Raises:
            StorageError: the object was certainly not created and is not there.
        """
        ...

    def get(self, key: str) -> bytes | None:
        """The object's bytes, or None if there is no such object.

        Raises:
            StorageError: the storage could not be read.
        """
        ...

    def list(self, prefix: str) -> list[str]:
        """Keys that start with `prefix`, sorted.

        Raises:
            StorageError: the storage could not be read.
        """
        ...

    def delete(self, keys: Iterable[str]) -> None:
        """Delete these objects; missing ones are ignored.

        Raises:
            StorageError: an object could not be deleted.
        """
        ...
