"""From the time of a row to the commit of its output, as a histogram of a sink's subtask.

The time of a row is its event time: that of its record unless the job says otherwise, and the end
of the window for a result of one. Rows are counted by columns, some thousand at once (of
more than LOOKED_AT evenly spread ones stand for their neighbours), and their
ages kept in buckets of 9 % until their checkpoint is committed.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import polars as pl

from raystream.data.batch import TIME
from raystream.observe.histogram import Histogram

AT_ONCE = 8_192
"""Rows that are waited for, to count them in one go."""

TOGETHER_MS = 100
"""Rows of one go were written within this time."""

LOOKED_AT = 1_024
"""Of more rows in one go this many are looked at, evenly spread."""

MOST_GROUPS = 256
_FINE = 8
"""Buckets of ages per factor of two."""

_OFFSET = 1_024
"""More than the number of any fine bucket."""

Ages = dict[int, int]
"""Number of a fine bucket -> rows."""


@dataclass(slots=True)
class _Group:
    at_ms: int
    ages: Ages


class CommitLatency:
    """Counts the rows of one subtask of a sink.

    Args:
        histogram: Where they are counted once they are committed.
        transactional: Rows are seen at the commit of their checkpoint; else as soon as written.
    """

    __slots__ = ("_groups", "_histogram", "_rows", "_sealed", "_times", "_transactional", "_until")

    def __init__(self, histogram: Histogram, *, transactional: bool = True) -> None:
        self._histogram = histogram
        self._transactional = transactional
        self._times: list[npt.NDArray[np.int64]] = []
        self._rows = 0
        self._until = 0
        self._groups: list[_Group] = []
        self._sealed: dict[int, list[_Group]] = {}

    def wrote(self, frame: pl.DataFrame, now_ms: int) -> None:
        """Note rows that are written.

        Args:
            frame: With their times.
            now_ms: Epoch ms.
        """
        if TIME not in frame.columns or not frame.height:
            return
        if self._times and (now_ms > self._until or self._rows >= AT_ONCE):
            self._count(now_ms)
        if not self._times:
            self._until = now_ms + TOGETHER_MS
        column = frame.get_column(TIME)
        times = (column.drop_nulls() if column.null_count() else column).to_numpy()
        self._times.append(times if self._transactional else times + (self._until - now_ms))
        self._rows += len(times)

    def seal(self, checkpoint: int, now_ms: int) -> None:
        """Whatever was written since the last one belongs to this checkpoint."""
        if self._times:
            self._count(now_ms)
        self._sealed[checkpoint] = self._groups
        self._groups = []

    def committed(self, checkpoint: int, now_ms: int) -> None:
        """Count the rows up to this checkpoint."""
        for number in [each for each in self._sealed if each <= checkpoint]:
            for group in self._sealed.pop(number):
                self._add(group, now_ms)

    def _count(self, now_ms: int) -> None:
        """Ages of the rows that wait, by columns."""
        now_ms = min(now_ms, self._until) if self._transactional else self._until
        times = np.concatenate(self._times)
        self._times, self._rows = [], 0
        group = _Group(now_ms, _ages(times, now_ms))
        if not self._transactional:
            self._add(group, now_ms)
            return
        self._groups.append(group)
        if len(self._groups) > MOST_GROUPS:
            self._groups = [_merged(*two) for two in _pairs(self._groups)]

    def _add(self, group: _Group, now_ms: int) -> None:
        waited = now_ms - group.at_ms
        for number, rows in group.ages.items():
            self._histogram.add((_age(number) + waited) / 1000, rows)


def _ages(times: npt.NDArray[np.int64], now_ms: int) -> Ages:
    """Rows by their age; each row that is looked at counts for its neighbours, too.

    By numpy: each call on a Polars series costs more than all of this.
    """
    if not len(times):
        return {}
    each = -(-len(times) // LOOKED_AT)
    fine = _fine(now_ms - times[::each].astype(np.float64))
    found = np.bincount(fine + _OFFSET)
    rows = {int(place) - _OFFSET: int(found[place]) * each for place in np.flatnonzero(found)}
    rows[int(fine[-1])] -= len(fine) * each - len(times)  # the last one has fewer neighbours
    return rows


def _fine(ages: npt.NDArray[np.float64]) -> npt.NDArray[np.int64]:
    """Numbers of the fine buckets; below 0 for rows of the future, whose commit may be later."""
    numbers = np.floor(np.log2(np.abs(ages) + 1.0) * _FINE)
    signed: npt.NDArray[np.int64] = np.copysign(numbers, ages).astype(np.int64)
    return signed


def _age(number: int) -> float:
    """Ms in the middle of a fine bucket."""
    size = 2.0 ** ((abs(number) + 0.5) / _FINE) - 1.0 if number else 0.0
    return float(size if number > 0 else -size)


def _pairs(groups: list[_Group]) -> list[tuple[_Group, ...]]:
    return [tuple(groups[first : first + 2]) for first in range(0, len(groups), 2)]


def _merged(*groups: _Group) -> _Group:
    """Groups as if they were written with the last of them."""
    last = groups[-1]
    ages = dict(last.ages)
    for group in groups[:-1]:
        for number, rows in group.ages.items():
            age = _age(number) + last.at_ms - group.at_ms
            fine = int(_fine(np.array([age]))[0])
            ages[fine] = ages.get(fine, 0) + rows
    return _Group(last.at_ms, ages)
