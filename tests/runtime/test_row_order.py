"""`first` and `last` at equal event time go by the place in the partition, in every run."""

from __future__ import annotations

from typing import Any

import polars as pl
import pytest

import raystream as rs
from raystream.data.batch import ORDER
from raystream.plan.planner import plan
from raystream.runtime.row_order import RowOrder
from raystream.testing import CRASH, feed

SCHEMA = {"ts": "int", "ip": "string", "v": "int", "w": "string"}


def picks(p: rs.Pipeline, *, union: bool = False) -> rs.Pipeline:
    rows = p.read(rs.Rows([]), event_time="ts", schema=SCHEMA, name="rows")
    if union:
        rows = rows.union(p.read(rs.Rows([]), event_time="ts", schema=SCHEMA, name="more"))
    counts = rows.filter("v >= 0").key_by("ip").window(rs.tumbling("1m"))
    counts.agg(
        first=rs.first("v"), last=rs.last("v"), w=rs.last("w"), odd=rs.last("v", where="v % 2 = 1")
    ).write(rs.Collect(), name="out")
    return p


ROWS = [
    {"ts": 1000 * (n // 40), "ip": "ab"[n % 2], "v": (n * 37) % 100, "w": None if n % 3 else "x"}
    for n in range(200)
]


def right(ip: str) -> tuple[Any, ...]:
    rows = [row for row in ROWS if row["ip"] == ip]
    odd = [row["v"] for row in rows if row["v"] % 2]
    return rows[0]["v"], rows[-1]["v"], rows[-1]["w"], odd[-1] if odd else None


@pytest.mark.parametrize("parallelism", [1, 2, 4])
@pytest.mark.parametrize("crash", [False, True])
def test_the_first_and_last_row_of_a_partition(parallelism: int, crash: bool) -> None:
    items: list[Any] = [*ROWS[:90], CRASH, *ROWS[90:130], CRASH, *ROWS[130:]] if crash else ROWS
    out = feed(picks(rs.Pipeline("picks")), {"rows": items}, parallelism=parallelism)["out"]
    found = {row["ip"]: (row["first"], row["last"], row["w"], row["odd"]) for row in out}
    assert found == {"a": right("a"), "b": right("b")}


def test_of_several_partitions_it_is_the_same_in_every_run() -> None:
    several = [ROWS[number::3] for number in range(2)]
    answers = set()
    for parallelism in (1, 2, 4):
        for crash in (False, True):
            left: list[Any] = [*several[0][:30], *([CRASH] if crash else []), *several[0][30:]]
            made = picks(rs.Pipeline("picks"), union=True)
            out = feed(made, {"rows": left, "more": several[1]}, parallelism=parallelism)["out"]
            answers.add(repr(sorted(out, key=lambda row: row["ip"])))
    assert len(answers) == 1


def test_rows_of_one_record_keep_their_order() -> None:
    p = rs.Pipeline("many")
    rows = p.read(rs.Rows([]), event_time="ts", schema={"ts": "int"}, name="rows")
    many = rows.flat_map(lambda row: [{"v": 9 - n} for n in range(5)], schema={"v": "int"})
    many.window(rs.tumbling("1m")).agg(first=rs.first("v"), last=rs.last("v")).write(
        rs.Collect(), name="out"
    )
    [row] = feed(p, {"rows": [{"ts": 5}, {"ts": 5}]})["out"]
    assert (row["first"], row["last"]) == (9, 5)


def test_only_what_is_asked_for_first_or_last_carries_a_place() -> None:
    def carried(pipeline: rs.Pipeline) -> list[str]:
        planned = plan(pipeline.graph(), 2, {})
        return [s.name for _, s in planned.steps() if s.read is not None and s.read.row_order]

    assert carried(picks(rs.Pipeline("a"), union=True)) == ["rows", "more"]
    p = rs.Pipeline("b")
    rows = p.read(rs.Rows([]), event_time="ts", schema=SCHEMA, name="rows").key_by("ip")
    counts = rows.window(rs.tumbling("1m")).agg(n=rs.count())
    counts.window(rs.tumbling("1h")).agg(last=rs.last("n")).write(rs.Collect(), name="out")
    assert carried(p) == []


def test_places_grow_and_go_on_after_a_restart() -> None:
    frame = pl.DataFrame({"v": [1, 2, 3]})
    order = RowOrder([])
    first = order.placed(frame, [("t-0", 2), ("t-1", 0), ("t-2", 1)])[ORDER]
    again = RowOrder([{"positions": {}}, {"rows": order.header()}])
    second = again.placed(frame, [("t-2", 1), ("t-0", 2)])[ORDER]
    assert first.dtype == pl.Int128
    assert first[0] < first[1] < second[1] < second[2]
    assert first[2] < second[0]
    assert again.header() == {"t-0": 4, "t-2": 2}
    assert again.placed(frame.clear(), []).schema[ORDER] == pl.Int128
