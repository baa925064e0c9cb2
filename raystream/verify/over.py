"""Functions over the rows before each row, in plain Python."""

from __future__ import annotations

from collections import defaultdict
from typing import Any

from raystream.graph.aggregates import Aggregate
from raystream.verify.aggregates import finish, values_of
from raystream.verify.rows import TIME, Row, column, comparable


def over(step: Any, rows: list[Row]) -> list[Row]:
    """Each row with the functions over those of its key before it, in order of event time."""
    keys: dict[tuple[Any, ...], list[int]] = defaultdict(list)
    for number in sorted(range(len(rows)), key=lambda n: rows[n][TIME]):
        keys[tuple(comparable(rows[number][name]) for name in step.keys)].append(number)
    times = [row[TIME] for row in rows]
    made: list[dict[str, Any]] = [{} for _ in rows]
    values = values_of(step, rows)
    lagged = {name: column(lag.value, rows) for name, lag in step.lags.items()}
    for run in (run for key in keys.values() for run in _runs(key, times, step.ttl_ms)):
        for place, number in enumerate(run):
            frame = _frame(step, run, place, times)
            for name, one in step.functions.items():
                if isinstance(one, Aggregate):
                    made[number][name] = finish(one, frame, times, *values[name])
                elif name in lagged:
                    before = run[place - one.by] if place >= one.by else None
                    made[number][name] = None if before is None else lagged[name][before]
                else:
                    made[number][name] = place + 1
    return [{**row, **new} for row, new in zip(rows, made, strict=True)]


def _runs(key: list[int], times: list[int], ttl: int | None) -> list[list[int]]:
    """The rows of a key, parted by its pauses."""
    runs: list[list[int]] = []
    for number in key:
        if runs and (ttl is None or times[number] - times[runs[-1][-1]] <= ttl):
            runs[-1].append(number)
        else:
            runs.append([number])
    return runs


def _frame(step: Any, run: list[int], place: int, times: list[int]) -> list[int]:
    if step.range_ms is None:
        return run[max(0, place + 1 - (step.rows or len(run))) : place + 1]
    now = times[run[place]]
    return [number for number in run if now - step.range_ms <= times[number] <= now]
