"""A source that keeps with its alignment group: splits that are ahead are not read."""

from __future__ import annotations

from collections.abc import Collection

from raystream.connectors.base import Pausable, SourceReader
from raystream.graph.policies import WatermarkStrategy
from raystream.ids import SplitId
from raystream.time.alignment import SplitAlignment
from raystream.time.split_watermarks import SplitWatermarks
from raystream.time.watermark import END_OF_TIME


class AlignedReading:
    """Decides before each poll; see time.alignment.

    A reader that cannot pause single splits is not polled once all of them are ahead.

    Args:
        strategy: Of the read.
        reader: Its reader.
        marks: Event time of its splits.
        bounded: The run ends with the splits: those read to their end hold nobody.
    """

    def __init__(
        self,
        strategy: WatermarkStrategy,
        reader: SourceReader,
        marks: SplitWatermarks,
        *,
        bounded: bool,
    ) -> None:
        self._reader, self._marks, self._bounded = reader, marks, bounded
        drift = strategy.max_drift_ms
        self._alignment = None if drift is None else SplitAlignment(drift)
        self.paused: frozenset[SplitId] = frozenset()

    def hear(self, others: int) -> None:
        """The least event time of the other members of the group, epoch ms."""
        if self._alignment is not None:
            self._alignment.hear(others)

    def may_read(self) -> bool:
        """Pause the splits that are ahead, resume the others; False: all wait."""
        if self._alignment is None:
            return True
        times = self._active()
        ahead = self._alignment.ahead(times)
        if isinstance(self._reader, Pausable):
            if ahead != self.paused:
                self._reader.pause(ahead)
            self.paused = ahead
            return True
        self.paused = ahead if len(ahead) == len(times) else frozenset()
        return not self.paused

    def lowest(self) -> int | None:
        """Least event time of the splits, for the group; see time.alignment.Groups.heard."""
        times = self._active().values()
        if not times:
            return END_OF_TIME
        return None if None in times else min(time for time in times if time is not None)

    def caught_up(self, splits: Collection[SplitId]) -> set[SplitId]:
        """Those of them that are read to their end; a split that waits never becomes idle."""
        return {s for s in splits if s not in self.paused and self._reader.caught_up(s)}

    def _active(self) -> dict[SplitId, int | None]:
        times = self._marks.active_times()
        if not self._bounded:
            return times
        done = [split for split in times if self._reader.caught_up(split)]
        left = self._reader.lag() if done else {}
        return {s: t for s, t in times.items() if s not in done or left.get(s, 0)}
