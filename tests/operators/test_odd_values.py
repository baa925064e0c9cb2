"""A function's odd value is right or goes by the policy, alike at every parallelism; none is lost."""

# ruff: noqa: DTZ001, DTZ901, E501
from __future__ import annotations

import datetime as dt
import decimal
import re
from collections import Counter
from collections.abc import Callable
from typing import Any

import polars as pl
import pytest

import raystream as rs
from raystream.testing import feed
from tests.operators.odd_values import odd_values

COUNT = len(odd_values())
ADDRESS = re.compile(r"0x\S*|\.\.\.")
Row = dict[str, Any]
TYPES: dict[str, tuple[Any, Any]] = {  # what is declared, and a plain value of it
    "int": (int, 7),
    "float": (float, 7.5),
    "text": (str, "z"),
    "bool": (bool, True),
    "bytes": (bytes, b"z"),
    "timestamp": (dt.datetime, dt.datetime(2020, 1, 1)),
    "date": (dt.date, dt.date(2020, 1, 1)),
    "decimal": ("decimal(18,2)", decimal.Decimal("7.00")),
    "duration": (dt.timedelta, dt.timedelta(1)),
    "list": (list[int], [7]),
    "object": (pl.Struct({"a": pl.Int64}), {"a": 7}),
}


def run(build: Callable[[Any], tuple[Any, Any]], parallelism: int) -> tuple[list[Row], list[str]]:
    """Rows and the reasons of dead letters, for one row per odd value behind a plain one."""
    p = rs.Pipeline("odd")
    rows = p.read(rs.Rows([]), schema={"i": "int", "ts": "int"}, event_time="ts", name="in")
    made, failing = build(rows)
    made.write(rs.Collect(), name="out")
    failing.errors.write(rs.Collect(), name="dead")
    numbers = [-1, *range(COUNT)]
    found = feed(p, {"in": [{"i": n, "ts": 1} for n in numbers]}, parallelism=parallelism)
    return found["out"], sorted(ADDRESS.sub("", letter["reason"]) for letter in found["dead"])


def alike(build: Callable[[Any], tuple[Any, Any]]) -> tuple[list[Row], list[str]]:
    """The same at every parallelism."""
    found = [run(build, parallelism) for parallelism in (1, 4)]
    told = [(Counter(map(repr, rows)), reasons) for rows, reasons in found]
    assert told[0] == told[1]
    return found[0]


def gives(plain: Any) -> Callable[[Row], Any]:
    return lambda row: plain if row["i"] < 0 else odd_values()[row["i"]]


@pytest.mark.parametrize("kind", TYPES)
def test_a_value_is_its_columns_or_a_dead_letter(kind: str) -> None:
    declared, plain = TYPES[kind]
    value = gives(plain)

    def mapped(rows: Any) -> tuple[Any, Any]:
        made = rows.map(
            lambda row: {"i": row["i"], "v": value(row)},
            schema={"i": int, "v": declared}, errors="dlq",
        )  # fmt: skip
        return made, made

    def flat(rows: Any) -> tuple[Any, Any]:
        made = rows.flat_map(
            lambda row: [{"i": row["i"], "v": value(row)}],
            schema={"i": int, "v": declared}, errors="dlq",
        )  # fmt: skip
        return made, made

    rows, reasons = alike(mapped)
    assert len(rows) + len(reasons) == COUNT + 1
    for row in rows:
        given, found = value(row), row["v"]
        if found is None:
            assert given is None
        elif type(given) is dict and not given:
            assert found == {"a": None}
        elif not isinstance(given, float) or given == given:  # noqa: PLR0124 - NaN
            assert plain_of(found) == plain_of(given)
    again, told = alike(flat)
    assert (Counter(map(repr, again)), told) == (Counter(map(repr, rows)), reasons)


def plain_of(value: Any) -> Any:
    """Values that are equal are one: arrays are lists, midnights dates, zones moments."""
    if hasattr(value, "tolist"):
        return value.tolist()
    if isinstance(value, dt.datetime):
        return value.timestamp() if value.tzinfo else value
    if isinstance(value, dt.date):
        return dt.datetime.combine(value, dt.time())
    return list(value) if isinstance(value, list | tuple) else value


@pytest.mark.parametrize("kind", TYPES)
def test_a_key_is_its_columns_or_a_dead_letter(kind: str) -> None:
    value = gives(TYPES[kind][1])

    def keyed(rows: Any) -> tuple[Any, Any]:
        made = rows.key_by(k=value, errors="dlq")
        return made.window(rs.tumbling("1s")).agg(n=rs.count()), made

    rows, reasons = alike(keyed)
    assert sum(row["n"] for row in rows) + len(reasons) == COUNT + 1
    assert len({repr(row["k"]) for row in rows}) == len(rows)  # no key comes twice


def test_a_filter_tells_true_from_false_or_the_row_goes() -> None:
    value = gives(True)

    def filtered(rows: Any) -> tuple[Any, Any]:
        made = rows.filter(value, errors="dlq")
        return made, made

    rows, reasons = alike(filtered)
    kept = {row["i"] for row in rows}
    told, neither = set(), 0
    for number, given in enumerate(odd_values()):
        try:
            neither_nor = given is NotImplemented or callable(given) or hasattr(given, "__next__")
            truth = not neither_nor and bool(given)
            if neither_nor or (truth and given != given):  # noqa: PLR0124
                truth, neither = False, neither + 1
        except (TypeError, ValueError):
            truth, neither = False, neither + 1
        if truth:
            told.add(number)
    coroutines = 1
    assert len(kept ^ (told | {-1})) == coroutines
    assert len(reasons) == neither + coroutines


@pytest.mark.parametrize("verb", ["map", "flat_map", "map_batches"])
def test_what_is_no_row_or_frame_is_a_dead_letter(verb: str) -> None:
    value = gives(None)

    def called(rows: Any) -> tuple[Any, Any]:
        of_batch = lambda frame: value({"i": frame["i"][0]})  # noqa: E731
        function = of_batch if verb == "map_batches" else value
        made = getattr(rows, verb)(function, schema={"a": int}, errors="dlq")
        return made, made

    rows, reasons = alike(called) if verb != "map_batches" else run(called, 1)
    assert all(set(row) == {"a"} for row in rows)
    if verb == "map":
        assert len(rows) + len(reasons) == COUNT + 1
