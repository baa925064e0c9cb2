"""EmitLag: how old rows are, by their event time, when a source hands them on (FLIP-33)."""

from __future__ import annotations

from collections.abc import Mapping

from raystream.ids import SplitId


class EmitLag:
    """Of each split the age of its newest row, when the source handed it on last.

    >>> lag = EmitLag()
    >>> lag.collected({"t/0": 1_000, "t/1": 1_500}); lag.emitted(3_000)
    >>> lag.seconds
    {'t/0': 2.0, 't/1': 1.5}
    """

    def __init__(self) -> None:
        self.seconds: dict[SplitId, float] = {}
        self._waiting: dict[SplitId, int] = {}

    def collected(self, highest: Mapping[SplitId, int]) -> None:
        """Rows came that are handed on later.

        Args:
            highest: Their latest event time by split, epoch ms.
        """
        for split, time in highest.items():
            self._waiting[split] = max(time, self._waiting.get(split, time))

    def emitted(self, wall_ms: int) -> None:
        """All of them are handed on now, epoch ms."""
        for split, time in self._waiting.items():
            self.seconds[split] = (wall_ms - time) / 1000
        self._waiting = {}
