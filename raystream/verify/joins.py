"""Joins by nested loops over all rows, without event time's order."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import date, datetime, timedelta
from typing import Any

from raystream.ids import HIDDEN

Row = dict[str, Any]
Names = tuple[list[str], list[str]]
Meet = Callable[[Row, Row], bool]

_TIME = f"{HIDDEN}time"
_EPOCH = datetime(1970, 1, 1)  # noqa: DTZ001 - compared with datetimes without a zone


def interval_join(step: Any, left: Sequence[Row], right: Sequence[Row]) -> list[Row]:
    """Pairs whose right row lies between the bounds of the left one."""

    def meet(mine: Row, theirs: Row) -> bool:
        low, high = _bound(step.low, mine), _bound(step.high, mine)
        if low is None or high is None:
            return False
        if isinstance(step.low, str):
            low = max(low, mine[_TIME])
        return bool(low <= theirs[_TIME] <= high)

    return joined(step, left, right, meet)


def join(step: Any, left: Sequence[Row], right: Sequence[Row]) -> list[Row]:
    """Pairs that are not farther apart than they live."""

    def meet(mine: Row, theirs: Row) -> bool:
        return step.ttl_ms is None or abs(mine[_TIME] - theirs[_TIME]) <= step.ttl_ms

    return joined(step, left, right, meet)


def asof_join(step: Any, left: Sequence[Row], right: Sequence[Row]) -> list[Row]:
    """Each row with the last version up to its time; of versions of one time the last one.

    A record of a table that removes the row of its key ends its version.
    """
    gone = {id(row) for row in right if step.deletes and row.get("op") == "delete"}
    if step.deletes:
        right = [row for row in right if row.get("op") != "update_before"]
    shown = [{n: v for n, v in row.items() if n != "op"} for row in right]
    names = _names(step, left, 0), _names(step, shown if step.deletes else right, 1)
    found = []
    for mine in left:
        held = [v for v in right if _equal(step, mine, v) and v[_TIME] <= mine[_TIME]]
        version = max(reversed(held), key=lambda row: row[_TIME], default=None)
        limit = step.within_ms
        if version is not None and limit is not None and mine[_TIME] - version[_TIME] > limit:
            version = None
        if version is not None and id(version) in gone:
            version = None
        if version is not None or step.how == "left":
            found.append(_beside(step, mine, version, names))
    return found


def lookup(step: Any, left: Sequence[Row], right: Sequence[Row]) -> list[Row]:
    """Each row with those of the table that have its key, at its own time."""
    names = _names(step, left, 0), _names(step, right, 1)
    table = [{**row, _TIME: -(2**62)} for row in right]
    found = []
    for mine in left:
        time = mine[_TIME] if mine[_TIME] is not None else -(2**62)
        rows = joined(step, [{**mine, _TIME: time}], table, lambda mine, theirs: True, names)
        found += [{**row, _TIME: mine[_TIME]} for row in rows]
    return found


def window_join(step: Any, left: Sequence[Row], right: Sequence[Row]) -> list[Row]:
    """Pairs of the same window, which is in their columns; its last moment is their time."""
    bounds = ("window_start", "window_end")
    parts: dict[tuple[int, int], tuple[list[Row], list[Row]]] = {}
    for port, rows in enumerate((left, right)):
        for row in rows:
            window = tuple(row[name] for name in bounds)
            plain = {name: value for name, value in row.items() if name not in bounds}
            parts.setdefault((window[0], window[1]), ([], []))[port].append(plain)
    names = _names(step, left, 0, bounds), _names(step, right, 1, bounds)
    return [
        {**row, **dict(zip(bounds, window, strict=True)), _TIME: window[1] - 1}
        for window, inputs in parts.items()
        for row in joined(step, *inputs, lambda mine, theirs: True, names)
    ]


def joined(
    step: Any,
    left: Sequence[Row],
    right: Sequence[Row],
    meet: Meet,
    names: Names | None = None,
) -> list[Row]:
    """Every pair with equal keys that meets, and what the kind of join gives beside."""
    names = names or (_names(step, left, 0), _names(step, right, 1))
    found: list[Row] = []
    matched: set[int] = set()
    for mine in left:
        partners = [n for n, theirs in enumerate(right) if _equal(step, mine, theirs)]
        partners = [n for n in partners if meet(mine, right[n])]
        matched |= set(partners)
        if step.how in ("semi", "anti"):
            found += [mine] if bool(partners) is (step.how == "semi") else []
            continue
        found += [_beside(step, mine, right[n], names) for n in partners]
        if not partners and step.how in ("left", "full"):
            found.append(_beside(step, mine, None, names))
    if step.how in ("right", "full"):
        alone = (row for number, row in enumerate(right) if number not in matched)
        found += [_beside(step, None, row, names) for row in alone]
    return found


def _equal(step: Any, mine: Row, theirs: Row) -> bool:
    pairs = [(mine[a], theirs[b]) for a, b in step.on]
    return all(a is not None and b is not None and _same(a, b) for a, b in pairs)


def _same(one: Any, other: Any) -> bool:
    return bool(one == other or (one != one and other != other))  # noqa: PLR0124 - NaN


def _beside(step: Any, mine: Row | None, theirs: Row | None, names: Names) -> Row:
    here, there = names
    row = {name: None if mine is None else mine[name] for name in here}
    for name in there:
        value = None if theirs is None else theirs[name]
        if (name, name) in step.on:
            row[name] = value if mine is None else row[name]
        else:
            row[name + step.suffix if name in here else name] = value
    times = [each[_TIME] for each in (mine, theirs) if each is not None]
    return {**row, _TIME: max(times)}


def _names(step: Any, rows: Sequence[Row], port: int, without: Sequence[str] = ()) -> list[str]:
    """Columns of a stream; only its keys are known if it has no rows."""
    if not rows:
        return [pair[port] for pair in step.on]
    return [name for name in rows[0] if not name.startswith(HIDDEN) and name not in without]


def _bound(bound: Any, row: Row) -> float | None:
    if isinstance(bound, int):
        return int(row[_TIME] + bound)
    value = row[bound]
    if isinstance(value, datetime):
        return (value.replace(tzinfo=None) - (value.utcoffset() or timedelta()) - _EPOCH) / (
            timedelta(milliseconds=1)
        )
    if isinstance(value, date):
        return (datetime.combine(value, datetime.min.time()) - _EPOCH) / timedelta(milliseconds=1)
    return None if value is None else int(value)
