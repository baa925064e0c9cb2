"""Steps that keep some rows of each key."""

from __future__ import annotations

from collections import defaultdict
from typing import Any

from raystream.verify.rows import TIME, Row, comparable, visible


def dedupe(step: Any, rows: list[Row]) -> list[Row]:
    """The first row of each key, or the last."""
    if step.last:
        return _last(step, rows)
    passed: dict[tuple[Any, ...], int] = {}
    found = []
    for row in rows:
        key = tuple(comparable(row[name]) for name in step.columns)
        until = passed.get(key)
        if until is None or (step.within_ms is not None and row[TIME] - step.within_ms > until):
            passed[key] = row[TIME]
            found.append(row)
    return found


def _last(step: Any, rows: list[Row]) -> list[Row]:
    found: dict[tuple[Any, ...], Row] = {}
    for row in rows:
        key = tuple(comparable(row[name]) for name in step.columns)
        if (
            key not in found
            or found[key][TIME] is None
            or row[TIME] is not None
            and (row[TIME] >= found[key][TIME])
        ):
            found[key] = row
    return list(found.values())


def latest(step: Any, rows: list[Row]) -> list[Row]:
    """The rows that are left when each record has set or removed the row of its key."""
    found: dict[tuple[Any, ...], Row] = {}
    for row in rows:
        key = tuple(comparable(row[name]) for name in step.keys)
        op = row.get("op")
        if op == "delete":
            found.pop(key, None)
        elif op != "update_before":
            found[key] = {name: value for name, value in row.items() if name != "op"}
    return list(found.values())


def top(step: Any, rows: list[Row]) -> list[Row]:
    """The first rows of each key when all have come; no key is forgotten."""
    groups: dict[tuple[Any, ...], list[Row]] = defaultdict(list)
    for row in rows:
        groups[tuple(comparable(row[name]) for name in step.keys)].append(row)
    found = []
    for members in groups.values():
        for place, row in enumerate(in_order(step.by, members)[: step.number]):
            found.append(row if step.rank is None else {**row, step.rank: place + 1})
    return found


def in_order(by: Any, rows: list[Row]) -> list[Row]:
    """By columns; equal rows stay in order."""
    for order in reversed(by):
        rows = _sorted(rows, order.column, descending=order.descending)
    return rows


def reduced(step: Any, rows: list[Row]) -> list[Row]:
    """Each row together with all before it, in the order of event time; no key is forgotten."""
    kept: dict[tuple[Any, ...], Row] = {}
    found = []
    for row in sorted(rows, key=lambda row: row[TIME] or 0):
        key = tuple(comparable(row[name]) for name in step.keys)
        own = {name: row[name] for name in step.keys}
        made = {**step.function(dict(kept[key]), visible(row)), **own} if key in kept else row
        kept[key] = visible({name: made.get(name) for name in row})
        found.append({**kept[key], TIME: row[TIME]})
    return found


def _sorted(rows: list[Row], name: str, *, descending: bool) -> list[Row]:
    """Nulls last, NaN greatest; equal rows stay in order."""
    known = [row for row in rows if row[name] is not None]
    odd = [row for row in known if row[name] != row[name]]  # noqa: PLR0124
    usual = [row for row in known if row[name] == row[name]]  # noqa: PLR0124
    usual.sort(key=lambda row: row[name], reverse=descending)  # stable, reversed too
    nulls = [row for row in rows if row[name] is None]
    return [*odd, *usual, *nulls] if descending else [*usual, *odd, *nulls]
