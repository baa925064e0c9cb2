"""Runs one procedure of the commit protocol at a time; the others wait for their turn."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from typing import Any

from raystream.checkpoint.protocol.procedure import Procedure
from raystream.job.messages import RunProcedure

Make = Callable[[], Procedure[Any]]
"""Makes the procedure at its turn."""


class Turns:
    """A running procedure is never interrupted; urgent ones go before background ones.

    >>> turns = Turns()
    >>> [command.then for command in turns.add("commit", lambda: iter(()))]
    ['commit']
    >>> turns.add_later("cleanup", lambda: iter(())); turns.add("recover", lambda: iter(()))
    []
    []
    >>> turns.ended(); [command.then for command in turns.next()], turns.running
    (['recover'], 'recover')
    """

    def __init__(self) -> None:
        self.running: str | None = None
        self._waiting: deque[tuple[str, Make]] = deque()

    def add(self, then: str, make: Make) -> list[RunProcedure]:
        """Run this next; returns the command if it may start now."""
        self._waiting.appendleft((then, make))
        return self.next()

    def add_later(self, then: str, make: Make) -> list[RunProcedure]:
        """Run this when nothing else waits; once, however often it is requested meanwhile."""
        if then not in {name for name, _ in self._waiting}:
            self._waiting.append((then, make))
        return self.next()

    def ended(self) -> None:
        """Record that the running procedure returned or raised; `next` starts the following one."""
        self.running = None

    def drop(self, then: str) -> None:
        """Drop this procedure if it waits."""
        self._waiting = deque(one for one in self._waiting if one[0] != then)

    def clear(self) -> None:
        """Drop all waiting procedures (the attempt is over); the running one continues."""
        self._waiting.clear()

    @property
    def idle(self) -> bool:
        """Whether nothing runs and nothing waits."""
        return self.running is None and not self._waiting

    def next(self) -> list[RunProcedure]:
        """Start the next waiting procedure, if none runs."""
        if self.running is not None or not self._waiting:
            return []
        self.running, make = self._waiting.popleft()
        return [RunProcedure(make(), self.running)]
