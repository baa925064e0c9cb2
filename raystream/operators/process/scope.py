"""Scope: the row or timer that is processed, and what it has changed so far."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from raystream.time.limits import EARLIEST_MS

Op = tuple[int, int, bool]
"""Number of a key, a time, and whether its timer is set or deleted."""

Side = tuple[str, dict[str, Any], int]
"""Tag of a side output, a row and its event time."""


class Scope:
    """What the states and the context of the user's class refer to.

    Args:
        undoes: Keep what a row changes, to take it back if the row fails.

    Attributes:
        key: Number of the key among those of the batch.
        time: Event time of the rows that are emitted now.
        now: Event time by which states expire.
        wall: The clock, epoch ms.
        fires: Time of the timer of event time that fires; None: none does.
        clock_fires: The same for a timer of the clock.
        broadcast: Whether the row belongs to no key, since every subtask has it.
        latest: Greatest event time of the rows that every subtask has; None: there was none.
    """

    def __init__(self, *, undoes: bool) -> None:
        self.undoes = undoes
        self.key = -1
        self.time = self.now = self.wall = 0
        self.fires: int | None = None
        self.clock_fires: int | None = None
        self.watermark: int | None = None
        self.latest: int | None = None
        self.ended = self.broadcast = False
        self.changes: list[tuple[Any, Any, Any]] = []
        self.owned: set[tuple[int, int]] = set()
        self.timers: list[Op] = []
        self.clock_timers: list[Op] = []
        self.sides: list[Side] = []

    def enter(self, key: int, time: int, *, fires: int | None = None) -> None:
        """The next row, or timer."""
        self.key, self.time, self.fires, self.clock_fires = key, time, fires, None
        known = EARLIEST_MS if self.watermark is None else self.watermark
        self.now = max(time, known)

    def undo(self) -> None:
        """Take back everything since the last `keep`."""
        for changed, key, before in reversed(self.changes):
            changed[key] = before
        self.keep()

    def keep(self) -> None:
        """Forget how to undo, and what was asked for: the engine has taken it."""
        if self.changes:
            self.changes.clear()
            self.owned.clear()
        if self.timers:
            self.timers.clear()
        if self.clock_timers:
            self.clock_timers.clear()
        if self.sides:
            self.sides.clear()

    def emit(self, tag: str, row: Mapping[str, Any]) -> None:
        """A row of a side output, if the row that is processed does not fail."""
        self.sides.append((tag, dict(row), self.time))
