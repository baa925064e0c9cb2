"""Aggregates over windows and sessions, and without a window."""

from __future__ import annotations

from collections import defaultdict
from datetime import timedelta
from functools import reduce
from typing import Any

import polars as pl

from raystream.errors import ConfigurationError
from raystream.graph.windows import Hopping, Tumbling, Window
from raystream.verify.aggregates import finish, values_of
from raystream.verify.joins import window_join as joined
from raystream.verify.keyed import in_order
from raystream.verify.local_windows import local_windows_of
from raystream.verify.rows import TIME, Row, comparable, visible


def window_aggregate(step: Any, rows: list[Row]) -> list[Row]:
    """A row per key and window."""
    groups: dict[tuple[Any, ...], list[int]] = defaultdict(list)
    for number, row in enumerate(rows):
        key = tuple(row[name] for name in step.keys)
        for start, end in windows_of(step.window, row[TIME]):
            groups[(*key, start, end)].append(number)
    values = values_of(step, rows)
    names = (*step.keys, "window_start", "window_end")
    times = [row[TIME] for row in rows]
    return [
        {
            TIME: group[-1] - 1,
            **dict(zip(names, group, strict=True)),
            **{
                name: finish(asked, members, times, *values[name])
                for name, asked in step.aggregates.items()
            },
        }
        for group, members in groups.items()
    ]


def window_apply(step: Any, rows: list[Row]) -> list[Row]:
    """What the function makes of the rows of each key and window."""
    found = []
    for group, of in windows_with_rows(step, rows).items():
        own = _own(step, group)
        frame = pl.DataFrame([{**visible(row), **own} for row in of], infer_schema_length=None)
        found += [{TIME: group[-1] - 1, **own, **row} for row in step.function(frame).to_dicts()]
    return found


def window_top(step: Any, rows: list[Row]) -> list[Row]:
    """The first rows of each key and window."""
    found = []
    for group, of in windows_with_rows(step, rows).items():
        for place, row in enumerate(in_order(step.by, of)[: step.number]):
            rank = {} if step.rank is None else {step.rank: place + 1}
            found.append({**visible(row), TIME: group[-1] - 1, **_own(step, group), **rank})
    return found


def window_reduce(step: Any, rows: list[Row]) -> list[Row]:
    """The rows of each key and window in one, two by two."""
    return [
        {**reduce(step.reducer, [_unbounded(row) for row in of]), TIME: group[-1] - 1,
         **_own(step, group)}
        for group, of in windows_with_rows(step, rows).items()
    ]  # fmt: skip


def _unbounded(row: Row) -> Row:
    """A row without the bounds of a window that it came from."""
    return {n: v for n, v in visible(row).items() if n not in ("window_start", "window_end")}


def _own(step: Any, group: tuple[Any, ...]) -> Row:
    return dict(zip((*step.keys, "window_start", "window_end"), group, strict=True))


def windows_with_rows(step: Any, rows: list[Row]) -> dict[tuple[Any, ...], list[Row]]:
    """The rows of each key and window, in the order of event time, by key, start and end."""
    groups: dict[tuple[Any, ...], list[Row]] = defaultdict(list)
    if hasattr(step.window, "gap_ms"):
        keys: dict[tuple[Any, ...], list[int]] = defaultdict(list)
        for number, row in enumerate(rows):
            keys[tuple(comparable(row[name]) for name in step.keys)].append(number)
        for members in keys.values():
            for session, reach in _sessions(step.window, rows, members):
                of = [rows[m] for m in session]
                key = tuple(of[0][name] for name in step.keys)
                groups[(*key, min(row[TIME] for row in of), reach)] += of
    else:
        for row in rows:
            for start, end in windows_of(step.window, row[TIME]):
                groups[(*(row[name] for name in step.keys), start, end)].append(row)
    return {group: sorted(of, key=lambda row: row[TIME]) for group, of in groups.items()}


def session_aggregate(step: Any, rows: list[Row]) -> list[Row]:
    """By key and time: a row farther than the reach of all before begins a session."""
    keys: dict[tuple[Any, ...], list[int]] = defaultdict(list)
    for number, row in enumerate(rows):
        keys[tuple(comparable(row[name]) for name in step.keys)].append(number)
    values, times = values_of(step, rows), [row[TIME] for row in rows]
    found = []
    for members in keys.values():
        for session, reach in _sessions(step.window, rows, members):
            of_key = {name: rows[members[0]][name] for name in step.keys}
            bounds = {"window_start": min(times[m] for m in session), "window_end": reach}
            made = {
                name: finish(asked, session, times, *values[name])
                for name, asked in step.aggregates.items()
            }
            found.append({TIME: reach - 1, **of_key, **bounds, **made})
    return found


def global_aggregate(step: Any, rows: list[Row]) -> list[Row]:
    """Windows of rows that are counted, in the order given; those not full at the end, too.

    Raises:
        ConfigurationError: the clock decides.
    """
    trigger = getattr(step.window, "trigger", None)
    if trigger is not None and trigger.every_ms is not None:
        what = "no evaluation of windows of the clock"
        raise ConfigurationError(what)
    size, slide = _counts(step.window)
    keys: dict[tuple[Any, ...], list[int]] = defaultdict(list)
    for number, row in enumerate(rows):
        keys[tuple(comparable(row[name]) for name in step.keys)].append(number)
    values, times = values_of(step, rows), [row[TIME] for row in rows]
    found = []
    for members in keys.values():
        for end in range(slide, len(members) + slide, slide):
            first = 0 if size is None else max(0, end - size)
            window = members[first:end]
            known = [times[m] for m in window if times[m] is not None]
            last = max(known, default=None)
            bounds = {"window_start": min(known, default=None)}
            bounds["window_end"] = None if last is None else last + 1
            of_key = {name: rows[window[0]][name] for name in step.keys}
            made = {
                name: finish(asked, window, times, *values[name])
                for name, asked in step.aggregates.items()
            }
            found.append({TIME: last, **of_key, **bounds, **made})
    return found


def _counts(window: Any) -> tuple[int | None, int]:
    """Rows of a window, None: all so far; and after how many one ends."""
    trigger = getattr(window, "trigger", None)
    if trigger is None:
        return window.size, window.slide or window.size
    return trigger.count if trigger.purge else None, trigger.count


def group_aggregate(step: Any, rows: list[Row]) -> list[Row]:
    """The last row of each key, as if all rows were one batch; no key is forgotten."""
    groups: dict[tuple[Any, ...], list[int]] = defaultdict(list)
    for number, row in enumerate(rows):
        groups[tuple(comparable(row[name]) for name in step.keys)].append(number)
    values = values_of(step, rows)
    times = [row[TIME] for row in rows]
    return [
        {
            TIME: max((times[m] for m in members if times[m] is not None), default=None),
            **{name: rows[members[0]][name] for name in step.keys},
            **{
                name: finish(asked, members, times, *values[name])
                for name, asked in step.aggregates.items()
            },
        }
        for members in groups.values()
    ]


def window_join(step: Any, left: list[Row], right: list[Row]) -> list[Row]:
    """A row per row and window; then windows are keys like others."""
    inputs = [[row | _bounds(w) for row in rows for w in windows_of(step.window, row[TIME])]
              for rows in (left, right)]  # fmt: skip
    return joined(step, *inputs)


def _bounds(window: tuple[int, int]) -> Row:
    return dict(zip(("window_start", "window_end"), window, strict=True))


def _sessions(window: Any, rows: list[Row], members: list[int]) -> list[tuple[list[int], int]]:
    """Rows of each session of one key, and its end."""
    found: list[tuple[list[int], int]] = []
    for number in sorted(members, key=lambda m: rows[m][TIME]):
        row = rows[number]
        end = row[TIME] + (window.gap_ms or _milliseconds(row[window.column]))
        if found and row[TIME] <= found[-1][1]:
            before, reach = found.pop()
            found.append(([*before, number], max(reach, end)))
        else:
            found.append(([number], end))
    return found


def _milliseconds(gap: Any) -> int:
    return gap // timedelta(milliseconds=1) if isinstance(gap, timedelta) else int(gap)


def windows_of(window: Window, time: int) -> list[tuple[int, int]]:
    """The windows that a time belongs to: (start, end), end exclusive.

    >>> windows_of(Hopping(size_ms=20, slide_ms=10), 25)
    [(20, 40), (10, 30)]
    >>> from raystream.graph.windows import Cumulative
    >>> windows_of(Cumulative(max_size_ms=30, step_ms=10), 12)
    [(0, 20), (0, 30)]
    """
    if window.time_zone is not None:
        return local_windows_of(window, time)
    if isinstance(window, Tumbling):
        start = time - (time - window.offset_ms) % window.size_ms
        return [(start, start + window.size_ms)]
    if isinstance(window, Hopping):
        last = time - (time - window.offset_ms) % window.slide_ms
        starts = range(last, time - window.size_ms, -window.slide_ms)
        return [(start, start + window.size_ms) for start in starts]
    start = time - (time - window.offset_ms) % window.max_size_ms
    ends = range(start + window.step_ms, start + window.max_size_ms + 1, window.step_ms)
    return [(start, end) for end in ends if time < end]
