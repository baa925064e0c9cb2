"""SplitWatermarks: event time of one source subtask, out of the highest times of its splits.

Rules: a split's watermark is its highest time - out-of-orderness - 1 ms (Flink's bounded
out-of-orderness); nothing is told before every split that was there at the start has spoken or is
idle; a split is idle only after it was read to its end and stayed empty for the timeout, never
because it was merely not read; one that was idle before a restart is so again as soon as it is read
to its end, if no row came; a split found later joins at its first record. When all are idle, their
maximum is told first (Flink's rule): complete windows must not wait for rows that nobody sends.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from typing import Protocol

from raystream.ids import SplitId
from raystream.time.watermark import Idle, Watermark


class Strategy(Protocol):
    """What is read of a graph.policies.WatermarkStrategy; all in ms."""

    @property
    def out_of_orderness_ms(self) -> int:
        """How much earlier than the highest time seen a row may still come."""
        ...

    @property
    def idle_timeout_ms(self) -> int | None:
        """How long an empty split is waited for; None: for ever."""
        ...

    @property
    def max_future_ms(self) -> int | None:
        """How far a row may be ahead of the wall clock; None: any."""
        ...


@dataclass(frozen=True, slots=True)
class SplitTime:
    """What is known of one split.

    Args:
        split: Its name.
        watermark: Epoch ms; None before its first row.
        highest: Latest event time seen, epoch ms.
        idle: It does not delay the watermark: empty for the idle timeout, or new and without a row.
        quiet_since: Monotonic seconds since when it has been read to its end, or None.
    """

    split: SplitId
    watermark: int | None
    highest: int | None
    idle: bool
    quiet_since: float | None


class SplitWatermarks:
    """Watermark of the splits of one subtask; never goes back.

    Args:
        strategy: Bounds, in ms.

    >>> from raystream.graph.policies import WatermarkStrategy
    >>> marks = SplitWatermarks(WatermarkStrategy(out_of_orderness_ms=10))
    >>> marks.add("t/0"); marks.add("t/1")
    >>> marks.observe("t/0", 100); marks.tick(0.0, set())
    >>> marks.observe("t/1", 50); marks.tick(0.1, set())
    Watermark(time=39)
    >>> marks.held_back_by()
    ['t/1']
    """

    def __init__(self, strategy: Strategy) -> None:
        self._strategy = strategy
        self._restored: dict[SplitId, int] = {}
        self._resting: set[SplitId] = set()
        self._times: dict[SplitId, int | None] = {}
        self._waiting_to_join: set[SplitId] = set()
        self._caught_up_since: dict[SplitId, float] = {}
        self._idle: set[SplitId] = set()
        self._started = False
        self._told_idle = False
        self._current: int | None = None

    @property
    def current(self) -> int | None:
        """The watermark last told, epoch ms; None before the first."""
        return self._current

    def restore(self, watermarks: Mapping[SplitId, int], idle: Iterable[SplitId] = ()) -> None:
        """What `header` and `resting` gave, of any subtask; before `add`.

        Args:
            watermarks: Watermark per split, epoch ms.
            idle: Splits that were idle: they wait for no timeout again, only for their end.
        """
        self._restored = dict(watermarks)
        self._resting = set(idle)

    def add(self, split: SplitId) -> None:
        """A split is read here from now on. After the first `tick` it joins at its first record."""
        self._times[split] = self._restored.get(split)
        if self._started and self._times[split] is None:
            self._waiting_to_join.add(split)

    def observe(self, split: SplitId, highest: int) -> None:
        """Rows came; `highest` is the latest event time among them, epoch ms."""
        time = highest - self._strategy.out_of_orderness_ms - 1
        before = self._times[split]
        self._times[split] = time if before is None else max(before, time)
        self._waiting_to_join.discard(split)
        self._idle.discard(split)
        self._resting.discard(split)
        self._caught_up_since.pop(split, None)

    def tick(self, now: float, caught_up: Collection[SplitId]) -> Watermark | Idle | None:
        """What changed for those downstream, if anything.

        Args:
            now: Monotonic seconds.
            caught_up: Splits that are read to their present end, with nothing waiting.
        """
        self._started = True
        self._mark_idle(now, caught_up)
        active = self._active()
        if not active:
            return self._say_idle()
        if any(self._times[split] is None for split in active):
            return None
        return self._advance(min(self._times[split] or 0 for split in active))

    def limit(self, wall_ms: int) -> int | None:
        """Latest event time that is believed now; None: any."""
        ahead = self._strategy.max_future_ms
        return None if ahead is None else wall_ms + ahead

    def held_back_by(self) -> list[SplitId]:
        """The splits that hold event time where it is: the silent ones, else the lowest."""
        active = self._active()
        silent = [split for split in active if self._times[split] is None]
        if silent or not active:
            return silent
        lowest = min(self._times[split] or 0 for split in active)
        return [split for split in active if self._times[split] == lowest]

    def splits(self) -> list[SplitTime]:
        """Every split, in the order in which they were added."""
        away = self._idle | self._waiting_to_join
        behind = self._strategy.out_of_orderness_ms + 1
        return [
            SplitTime(
                split,
                time,
                None if time is None else time + behind,
                split in away,
                self._caught_up_since.get(split),
            )
            for split, time in self._times.items()
        ]

    def header(self) -> dict[SplitId, int]:
        """Watermark per split that has spoken; JSON, for the checkpoint."""
        return {split: time for split, time in self._times.items() if time is not None}

    def resting(self) -> list[SplitId]:
        """Splits that are idle, or were before a restart and gave no row since; sorted."""
        return sorted(self._idle | (self._resting & self._times.keys()))

    def active_times(self) -> dict[SplitId, int | None]:
        """Watermark of each split that is not idle; None: no row came yet."""
        return {split: self._times[split] for split in self._active()}

    def _active(self) -> list[SplitId]:
        away = self._idle | self._waiting_to_join
        return [split for split in self._times if split not in away]

    def _mark_idle(self, now: float, caught_up: Collection[SplitId]) -> None:
        timeout = self._strategy.idle_timeout_ms
        for split in self._times:
            if split not in caught_up:
                self._caught_up_since.pop(split, None)
                self._idle.discard(split)
                continue
            since = self._caught_up_since.setdefault(split, now)
            rested = split in self._resting
            if timeout is not None and (rested or (now - since) * 1000 >= timeout):
                self._idle.add(split)

    def _say_idle(self) -> Watermark | Idle | None:
        highest = max((time for time in self._times.values() if time is not None), default=None)
        if highest is not None and (self._current is None or highest > self._current):
            self._told_idle = False
            self._current = highest
            return Watermark(highest)
        if self._told_idle:
            return None
        self._told_idle = True
        return Idle()

    def _advance(self, low: int) -> Watermark | None:
        was_idle, self._told_idle = self._told_idle, False
        if self._current is not None and low <= self._current:
            return Watermark(self._current) if was_idle else None
        self._current = low
        return Watermark(low)
