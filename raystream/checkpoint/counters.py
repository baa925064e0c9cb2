"""Counters stored with a checkpoint: what its run had read and written up to that point.

A subtask counts from 0 in each attempt. Its counters at the snapshot are sent with the ack; their
sum, plus the counters of the checkpoint that the attempt restored, goes into the manifest. So the
totals of a run are exact however much is read again, and whichever process reports them.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from raystream.ids import StepName

COUNTERS = "counters"
"""Field of the header of a checkpoint."""

Counters = Mapping[StepName, Mapping[str, int]]
"""Step -> name of a counter -> its value."""


def total(parts: Iterable[Counters]) -> dict[StepName, dict[str, int]]:
    """Sum counters over all parts.

    >>> total([{"read": {"rows_out": 2}}, {"read": {"rows_out": 3, "late_rows": 1}}])
    {'read': {'rows_out': 5, 'late_rows': 1}}
    """
    summed: dict[StepName, dict[str, int]] = {}
    for part in parts:
        for step, counters in part.items():
            mine = summed.setdefault(step, {})
            for name, n in counters.items():
                mine[name] = mine.get(name, 0) + n
    return summed


def at_least(counters: Counters, floor: Counters) -> dict[StepName, dict[str, int]]:
    """The greater value of each counter: counters only rise.

    >>> at_least({"read": {"rows_out": 2}}, {"read": {"rows_out": 3}, "write": {"rows_out": 1}})
    {'read': {'rows_out': 3}, 'write': {'rows_out': 1}}
    """
    return {
        step: {
            name: max(counters.get(step, {}).get(name, 0), floor.get(step, {}).get(name, 0))
            for name in {**counters.get(step, {}), **floor.get(step, {})}
        }
        for step in {**counters, **floor}
    }


def counters_in(job: Mapping[str, Any]) -> dict[StepName, dict[str, int]]:
    """Counters in the header of a checkpoint; empty if an older version wrote it.

    >>> counters_in({"counters": {"read": {"rows_out": 5}}}), counters_in({})
    ({'read': {'rows_out': 5}}, {})
    """
    told = job.get(COUNTERS)
    return total([told]) if isinstance(told, Mapping) else {}
