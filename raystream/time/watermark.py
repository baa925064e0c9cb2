"""Watermarks and their merge: the minimum over the inputs that are not idle (Flink's rule).

When the last of them falls idle there is nobody to wait for any more: the maximum over all inputs
is told first, then that there is nothing to be told (Flink's StatusWatermarkValve). An input that
has ended does not delay the watermark, and closes nothing for inputs that are only idle:
the end of time is told when all have ended.
"""

from __future__ import annotations

from collections.abc import Hashable, Iterable
from dataclasses import dataclass
from typing import Generic, TypeVar

Input = TypeVar("Input", bound=Hashable)

END_OF_TIME = 2**63 - 1
"""Watermark time of a bounded input that has ended."""


@dataclass(frozen=True, slots=True)
class Watermark:
    """No row with event time <= `time` (epoch ms) is expected any more."""

    time: int


@dataclass(frozen=True, slots=True)
class Idle:
    """This input says nothing about event time until it speaks again."""


class WatermarkMerge(Generic[Input]):
    """Merges the watermarks of several inputs into one that never goes back.

    Args:
        inputs: Names of the inputs. Until each has spoken or is idle there is no watermark.

    >>> merge = WatermarkMerge(["a", "b"])
    >>> merge.update("a", Watermark(5))
    >>> merge.update("b", Watermark(3))
    Watermark(time=3)
    >>> merge.held_back_by()
    ['b']
    >>> merge.update("b", Idle())
    Watermark(time=5)
    >>> merge.update("a", Idle())
    Idle()
    """

    def __init__(self, inputs: Iterable[Input]) -> None:
        self._times: dict[Input, int | None] = dict.fromkeys(inputs)
        self._idle: set[Input] = set()
        self._emitted: int | None = None
        self._was_idle = False

    @property
    def current(self) -> int | None:
        """The merged watermark time, or None before the first."""
        return self._emitted

    def update(self, source: Input, news: Watermark | Idle) -> Watermark | Idle | None:
        """Take news of one input; give the merged watermark if it changed, else None.

        A watermark that came because all fell idle leaves their Idle to `owed`.
        """
        if isinstance(news, Idle):
            self._idle.add(source)
        else:
            self._idle.discard(source)
            before = self._times[source]
            self._times[source] = news.time if before is None else max(before, news.time)
        return self._merged()

    def owed(self) -> Idle | None:
        """What is to be told behind the last update, before anything else."""
        open_inputs = self._open()
        return self._all_idle() if open_inputs and self._idle >= open_inputs.keys() else None

    def held_back_by(self) -> list[Input]:
        """The inputs that hold the merged watermark where it is."""
        active = {name: time for name, time in self._open().items() if name not in self._idle}
        silent = [name for name, time in active.items() if time is None]
        if silent or not active:
            return silent
        lowest = min(time for time in active.values() if time is not None)
        return [name for name, time in active.items() if time == lowest]

    def _open(self) -> dict[Input, int | None]:
        """The inputs that may still speak."""
        return {name: time for name, time in self._times.items() if time != END_OF_TIME}

    def _merged(self) -> Watermark | Idle | None:
        inputs = self._open()
        active = [time for name, time in inputs.items() if name not in self._idle]
        if not inputs:
            active = [END_OF_TIME]
        if not active:
            return self._highest(inputs.values()) or self._all_idle()
        if None in active:
            return None
        low = min(time for time in active if time is not None)
        was_idle, self._was_idle = self._was_idle, False
        if self._emitted is not None and low <= self._emitted:
            return Watermark(self._emitted) if was_idle else None
        self._emitted = low
        return Watermark(low)

    def _highest(self, times: Iterable[int | None]) -> Watermark | None:
        spoken = [time for time in times if time is not None]
        if not spoken or (self._emitted is not None and max(spoken) <= self._emitted):
            return None
        self._was_idle = False
        self._emitted = max(spoken)
        return Watermark(self._emitted)

    def _all_idle(self) -> Idle | None:
        if self._was_idle:
            return None
        self._was_idle = True
        return Idle()
