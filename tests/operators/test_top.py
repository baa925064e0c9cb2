"""The first rows of each key, and the last of equal ones, against plain Python."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import raystream as rs
from raystream.config.load import Loading, load
from raystream.config.to_python import to_python
from raystream.data.batch import TIME, Batch
from raystream.data.changes import CHANGE, Changes, RowKind
from raystream.data.schema import Schema
from raystream.errors import ConfigurationError
from raystream.operators.top.operator import Top
from raystream.testing import CRASH, feed
from raystream.verify.evaluate import evaluate
from tests import steps
from tests.operators.test_group_aggregate import Subtasks, plain

ROWS = {"k": pl.String(), "v": pl.Float64(), "n": pl.Int64(), TIME: pl.Int64(), CHANGE: pl.Int8()}
ROW = st.tuples(
    st.sampled_from(["a", "b", None]),
    st.sampled_from([1.0, 2.5, None, float("nan"), -1.0]),
    st.integers(0, 3),
)
BATCHES = st.lists(st.tuples(st.lists(ROW, max_size=6), st.sampled_from([0, 0, 1, 2, 3])))
ORDERS = [
    (steps.Order("v"),),
    (steps.Order("v", descending=False), steps.Order("n")),
    (steps.Order("n"), steps.Order("v")),
]


class Tops(Subtasks):
    operator = Top


def best(rows: list[Any], step: steps.Top) -> list[Any]:
    """Of rows (k, v, n, time), in the order in which they came."""
    for order in reversed(step.by):
        at = "kvn".index(order.column)
        there = [row for row in rows if row[at] is not None]
        there = sorted(there, key=lambda row: size(row[at]), reverse=order.descending)
        rows = there + [row for row in rows if row[at] is None]
    return rows[: step.number]


def size(value: Any) -> tuple[bool, Any]:
    return value != value, 0 if value != value else value  # noqa: PLR0124 - NaN is greatest


@pytest.mark.parametrize("rank", [None, "rank"])
@settings(max_examples=12)
@given(
    batches=BATCHES,
    order=st.sampled_from(ORDERS),
    number=st.integers(1, 3),
    keyed=st.booleans(),
)
def test_the_first_rows_of_each_key_are_there_whatever_happens_between(
    rank: str | None,
    batches: list[tuple[list[tuple[Any, ...]], int]],
    order: tuple[steps.Order, ...],
    number: int,
    keyed: bool,
) -> None:
    step = steps.Top(("k",) if keyed else (), number, order, rank)
    subtasks = Tops(step, 2 if keyed else 1)
    groups: dict[Any, list[Any]] = {}
    time = 0
    for rows, restart in batches:
        timed = [(*row, time + place) for place, row in enumerate(rows)]
        time += len(rows)
        frame = pl.DataFrame([(*row, 0) for row in timed], schema=ROWS, orient="row")
        subtasks.process(frame.drop(CHANGE))
        for row in timed:
            groups.setdefault(row[0] if keyed else "", []).append(row)
        if restart:
            subtasks.restart(restart)
    expected = []
    for members in groups.values():
        for place, row in enumerate(best(members, step)):
            values = tuple(map(plain, row[:3]))
            expected.append(values if rank is None else (*values, place + 1))
    assert sorted((row[:-1] for row in subtasks.output.rows()), key=repr) == sorted(
        expected, key=repr
    )


MOVES = st.lists(
    st.lists(st.tuples(st.integers(0, 5), st.one_of(st.none(), st.integers(0, 4))), max_size=6),
    max_size=6,
)


@pytest.mark.parametrize("rank", [None, "rank"])
@settings(max_examples=10)
@given(moves=MOVES, number=st.integers(1, 3), restart=st.integers(0, 3))
def test_a_row_that_is_taken_back_makes_room(
    rank: str | None, moves: list[list[tuple[int, int | None]]], number: int, restart: int
) -> None:
    """A table of n (a number) -> v; equal v may stand in any order, so only these are compared."""
    step = steps.Top(("k",), number, (steps.Order("v"),), rank, takes_back=True)
    subtasks = Tops(step)
    table: dict[int, int] = {}
    for place, batch in enumerate(moves):
        rows: list[tuple[Any, ...]] = []
        for n, v in batch:
            old = table.pop(n, None)
            if old is not None:
                kind = RowKind.DELETE if v is None else RowKind.UPDATE_BEFORE
                rows.append(("a", float(old), n, 0, kind))
            if v is not None:
                table[n] = v
                kind = RowKind.INSERT if old is None else RowKind.UPDATE_AFTER
                rows.append(("a", float(v), n, 0, kind))
        if rows:
            subtasks.process(pl.DataFrame(rows, schema=ROWS, orient="row"))
        if place == restart:
            subtasks.restart(2)
            subtasks.restart(1)
    found = subtasks.output.rows()
    assert [row[1] for row in sorted(found, key=lambda row: -row[1])] == sorted(
        map(float, table.values()), reverse=True
    )[:number]
    assert all(table[row[2]] == row[1] for row in found)
    if rank is not None:
        assert [row[3] for row in sorted(found, key=lambda row: (-row[1], row[3]))] == list(
            range(1, len(found) + 1)
        )


def test_a_place_changes_only_if_its_row_does() -> None:
    subtasks = Tops(steps.Top(("k",), 2, (steps.Order("v"),), "rank"))
    for v in (5.0, 3.0, 1.0, 4.0, 9.0):
        row = ("a", v, 0, 1, 0)
        subtasks.process(pl.DataFrame([row], schema=ROWS, orient="row").drop(CHANGE))
    assert subtasks.output.kinds == [
        *("INSERT", "INSERT"),
        *("UPDATE_BEFORE", "UPDATE_AFTER"),
        *("UPDATE_BEFORE", "UPDATE_AFTER") * 2,
    ]


def test_equal_rows_that_change_places_are_taken_back_with_their_own_times() -> None:
    """Found by hypothesis: only the time of a place changed, and that went untold."""
    subtasks = Tops(steps.Top(("k",), 2, (steps.Order("v", descending=False),), "rank"))
    for number, v in enumerate((1.0, 1.0, 0.5, 0.0)):
        row = ("a", v, 0, number, 0)
        subtasks.process(pl.DataFrame([row], schema=ROWS, orient="row").drop(CHANGE))
    assert subtasks.output.rows() == [("a", 0.0, 0, 1, 3), ("a", 0.5, 0, 2, 2)]


def test_a_key_without_rows_for_the_ttl_starts_anew() -> None:
    subtasks = Tops(steps.Top(("k",), 1, (steps.Order("v"),), ttl_ms=10))
    frame = pl.DataFrame([("a", 5.0, 0, 1, 0)], schema=ROWS, orient="row").drop(CHANGE)
    subtasks.process(frame)
    subtasks.watermark(12)
    subtasks.output.there.clear()
    subtasks.process(frame.with_columns(v=1.0))
    assert subtasks.output.kinds == ["INSERT", "INSERT"]


def pipeline(folder: Path) -> rs.Pipeline:
    p = rs.Pipeline("bids", checkpoint_storage=str(folder), parallelism=2)
    schema = {"auction": "int", "bidder": "int", "price": "int", "at": "int"}
    bids = p.read(rs.Rows([]), name="bids", schema=schema, event_time="at")
    best = bids.key_by("auction").top(2, by=["price", "at asc"], rank="rank", name="best")
    best.key_by("auction", "rank").write(rs.Collect(), changes="upsert", name="top")
    last = bids.dedupe("bidder", "auction", keep="last", name="last")
    last.key_by("bidder", "auction").write(rs.Collect(), changes="upsert", name="last-bids")
    counts = bids.key_by("auction").aggregate(n=rs.count(), name="counts").key_by()
    counts.top(1, by=["n", "auction"], name="first").write(rs.Collect(), changes="log", name="hot")
    return p


def test_tops_of_a_pipeline_over_crashes(tmp_path: Path) -> None:
    bids = [
        {"auction": n % 3, "bidder": n % 4, "price": n * 7 % 11, "at": 1000 + n} for n in range(40)
    ]
    out = feed(pipeline(tmp_path), {"bids": [*bids[:15], CRASH, *bids[15:30], CRASH, *bids[30:]]})
    right = evaluate(pipeline(tmp_path).graph(), {"bids": bids})
    for name in ("top", "last-bids"):
        assert sorted(out[name], key=repr) == sorted(right[name], key=repr)
    hot: list[Any] = []
    for change in out["hot"]:
        row = (change["auction"], change["n"])
        if change["op"] in ("update_before", "delete"):
            hot.remove(row)
        else:
            hot.append(row)
    assert hot == [(row["auction"], row["n"]) for row in right["hot"]]


def bids() -> rs.KeyedStream:
    schema = {"k": "string", "n": "int", "deep": pl.List(pl.Int64)}
    return rs.Pipeline("refused").read(rs.Rows([]), schema=schema).key_by("k")


@pytest.mark.parametrize(
    ("build", "message"),
    [
        (lambda s: s.top(0, by="n"), "top takes 1 row or more, not 0"),
        (lambda s: s.top(1, by=[]), r"top needs an order; write .top\(3"),
        (lambda s: s.top(1, by="m"), "no column 'm'; columns: k, n, deep"),
        (lambda s: s.top(1, by="deep"), "'deep' is List.* which has no order"),
        (lambda s: s.top(1, by="n", rank="k"), "there is a column 'k' already"),
        (lambda s: s.dedupe("k", keep="best"), "keep 'best' is unknown.*first, last"),
        (
            lambda s: s.top(2, by="n").write(rs.Collect(), changes="upsert"),
            "no columns identify the rows any more",
        ),
    ],
)
def test_what_cannot_be_is_refused(build: Any, message: str) -> None:
    with pytest.raises(ConfigurationError, match=f"(?s)test_top.py:.*{message}"):
        build(bids())


def test_what_identifies_a_row() -> None:
    schema = Schema({"k": pl.String(), "n": pl.Int64()}, key=("k",))
    by = (steps.Order("n"),)
    assert steps.Top(("k",), 3, by, "r").changes([schema]) == Changes(("k", "r"))
    assert steps.Top(("k",), 3, by).changes([schema]) == Changes(None)
    assert steps.Top(("k",), 1, by).changes([schema]) == Changes(("k",))
    assert steps.Dedupe(("k",), last=True).changes([schema]) == Changes(("k",))
    assert steps.Dedupe(("k",)).changes([schema]) is None


def test_the_first_rows_leave_nothing_of_a_batch_without_rows() -> None:
    subtasks = Tops(steps.Top(("k",), 1, (steps.Order("v"),)))
    subtasks.operators[0].process(Batch(pl.DataFrame(schema=ROWS).drop(CHANGE)))
    assert subtasks.output.kinds == []


def test_a_pipeline_file_says_the_same(tmp_path: Path) -> None:
    path = tmp_path / "job.yaml"
    path.write_text("""
version: 1
name: bids
source: {files: {path: in}, schema: {auction: int, price: int, at: int}}
steps:
  - dedupe: [auction, price]
    keep: last
  - key_by: auction
  - top: 2
    by: [price, at asc]
    rank: place
    ttl: 1d
sink: {files: {path: out}, changes: log}
""")
    pipeline = load(str(path), Loading()).pipeline
    _, last, _, top, _ = (node.step for node in pipeline.graph().nodes)
    assert last == steps.Dedupe(("auction", "price"), last=True)
    order = (steps.Order("price"), steps.Order("at", descending=False))
    assert top == steps.Top(("auction",), 2, order, "place", 86_400_000)
    python = to_python(pipeline)
    assert '.top(2, by=["price desc", "at asc"], rank="place", ttl="1d")' in python
    assert '.dedupe("auction", "price", keep="last")' in python
