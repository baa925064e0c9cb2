"""A store that records how long an answer has been outstanding, for the status."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import TypeVar

from raystream.checkpoint.verdicts import Put
from raystream.errors import StorageError
from raystream.job.facts import without_credentials
from raystream.observe.silence import Silence
from raystream.storage.base import Store
from raystream.time.clock import Clock

R = TypeVar("R")

SILENT_S = 3.0
"""Shorter waits are not reported."""


class ListenedStore:
    """`storage.base.Store` around another one.

    The silence starts with the oldest unanswered call; a call that fails counts as unanswered.

    Args:
        store: The wrapped store.
        clock: Monotonic seconds.
    """

    def __init__(self, store: Store, clock: Clock) -> None:
        self._store = store
        self._clock = clock
        self._asked: dict[object, float] = {}
        self._failing_since: float | None = None

    @property
    def url(self) -> str:
        """URL of the wrapped store."""
        return self._store.url

    def silent(self) -> tuple[Silence, ...]:
        """This storage, if it has not answered for some seconds; callable from any thread."""
        waiting = [*self._asked.values()]
        if self._failing_since is not None:
            waiting.append(self._failing_since)
        seconds = self._clock.now() - min(waiting) if waiting else 0.0
        if seconds < SILENT_S:
            return ()
        return (Silence(f"storage {without_credentials(self.url)}", round(seconds, 1)),)

    def create(self, key: str, data: bytes) -> Put:
        """Create if absent."""
        return self._ask(lambda: self._store.create(key, data))

    def get(self, key: str) -> bytes | None:
        """The object's bytes."""
        return self._ask(lambda: self._store.get(key))

    def list(self, prefix: str) -> list[str]:
        """Keys that start with `prefix`."""
        return self._ask(lambda: self._store.list(prefix))

    def delete(self, keys: Iterable[str]) -> None:
        """Delete these objects."""
        return self._ask(lambda: self._store.delete(keys))

    def _ask(self, question: Callable[[], R]) -> R:
        ticket = object()
        began = self._asked[ticket] = self._clock.now()
        try:
            answer = question()
        except StorageError:
            if self._failing_since is None:
                self._failing_since = began
            raise
        finally:
            del self._asked[ticket]
        self._failing_since = None
        return answer
