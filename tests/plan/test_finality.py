"""A window behind a window counts each of its windows once, or is refused."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import polars as pl
import pytest

import raystream as rs
from raystream.errors import ConfigurationError
from raystream.testing import ADVANCE, feed

SCHEMA = {"ts": "int", "ip": "string"}
LATER = {"ip": "z", "ts": 3_600_000}

BETWEEN: dict[str, Callable[[Any], Any]] = {
    "nothing": lambda s: s,
    "filter": lambda s: s.filter("n > 0"),
    "select": lambda s: s.select("ip", "n"),
    "drop": lambda s: s.drop("final"),
    "another final": lambda s: s.with_columns(final="1 = 1"),
    "map": lambda s: s.map(lambda row: {"n": row["n"]}, schema={"n": "int"}),
    "flat_map": lambda s: s.flat_map(lambda row: [{"n": row["n"]}], schema={"n": "int"}),
    "frames": lambda s: s.map_batches(lambda frame: frame.select("n"), schema={"n": "int"}),
    "summed frames": lambda s: s.map_batches(
        lambda frame: pl.concat([frame, frame]).select(pl.col("n").sum() // 2), schema={"n": "int"}
    ),
    "union": lambda s: s.filter("n > 5").union(s.filter("n <= 5")),
    "final": lambda s: s.filter("final"),
}


def early(between: Callable[[Any], Any], *, late: bool) -> rs.Pipeline:
    p = rs.Pipeline("twice")
    rows = p.read(rs.Rows([]), event_time="ts", schema=SCHEMA, name="rows")
    first = rows.key_by("ip").window(rs.tumbling("1m"), emit=rs.early("1s"))
    counts = between(first.agg(n=rs.count())).key_by()
    second = counts.window(rs.tumbling("10m")).agg(total=rs.sum("n"), rows=rs.count())
    second.write(rs.Collect(), name="out")
    if late:
        second.late.write(rs.Collect(), name="late")
    return p


@pytest.mark.parametrize("between", BETWEEN)
@pytest.mark.parametrize("late", [False, True])
def test_early_rows_are_not_counted_by_a_window_behind(between: str, late: bool) -> None:
    rows: list[Any] = []
    for number in range(9):
        rows += [{"ip": "ab"[number % 2], "ts": number * 1000}, ADVANCE("5s")]
    out = feed(early(BETWEEN[between], late=late), {"rows": [*rows, LATER]})["out"]
    first = next(row for row in out if row["window_start"] == 0)
    assert first["total"] == 9


@pytest.mark.parametrize("emit", ["on_close", rs.early("1s")])
@pytest.mark.parametrize("between", BETWEEN)
def test_a_window_behind_allowed_lateness_is_refused(emit: Any, between: str) -> None:
    if emit == "on_close" and "final" in between:
        return
    p = rs.Pipeline("twice")
    rows = p.read(rs.Rows([]), event_time="ts", schema=SCHEMA, name="rows").key_by("ip")
    first = rows.window(rs.tumbling("1m"), emit=emit, allowed_lateness="1m", name="first")
    made = first.agg(n=rs.count())
    if emit == "on_close" and between == "drop":
        made = made.with_columns(final="n > 0")
    behind = BETWEEN[between](made).key_by().window(rs.tumbling("10m"), name="second")
    with pytest.raises(ConfigurationError) as error:
        behind.agg(total=rs.sum("n"))
    assert error.value.what == (
        "step 'first' has allowed_lateness and emits a window again for each late row; "
        "'second' would count every one of these rows"
    )
    assert "test_finality.py" in str(error.value.where)


def test_late_rows_and_final_windows_may_be_counted() -> None:
    p = rs.Pipeline("late")
    rows = p.read(rs.Rows([]), event_time="ts", schema=SCHEMA, name="rows").key_by("ip")
    first = rows.window(rs.tumbling("1m"), allowed_lateness="1m", name="first").agg(n=rs.count())
    first.late.window(rs.tumbling("10m")).agg(n=rs.count()).write(rs.Collect(), name="late")
    first.write(rs.Collect(), name="out")
    assert "tumbling 10m" in p.explain()
