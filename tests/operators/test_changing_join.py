"""Joins whose rows change earlier ones, against plain Python: kinds, cuts, restarts, rescales."""

from __future__ import annotations

import random
import re
from collections import Counter
from pathlib import Path
from typing import Any
from unittest.mock import patch

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import raystream as rs
from raystream.config.load import load
from raystream.config.to_python import to_python
from raystream.data.change_rows import as_upserts
from raystream.data.changes import CHANGE, Changes, RowKind
from raystream.errors import ConfigurationError
from raystream.operators.join import changing
from raystream.operators.joins.kinds import JoinKind
from raystream.state import time_table
from raystream.state.run import RunPolicy
from raystream.testing.feed import CRASH, feed
from raystream.verify.evaluate import evaluate
from tests import steps
from tests.operators.joining import LEFT, ON, RIGHT, Row, Subtasks

KINDS = st.sampled_from(list(JoinKind))
KEY = st.sampled_from([None, -1, 0, 1])
ROWS = (
    st.tuples(KEY, st.integers(0, 2), st.none(), st.integers(0, 30)),
    st.tuples(KEY, st.integers(0, 2), st.integers(0, 30)),
)
OPS = st.sampled_from(["add", "add", "add", "take", "take", "odd"])
EVENT = st.one_of(
    *(
        st.tuples(st.just(port), st.lists(st.tuples(OPS, ROWS[port]), min_size=1, max_size=8))
        for port in (0, 1)
    ),
    st.tuples(st.just("watermark"), st.integers(0, 15)),
    st.tuples(st.just("restart"), st.sampled_from([1, 2, 3])),
)
GONE = (RowKind.UPDATE_BEFORE, RowKind.DELETE)
many_merges = patch.object(
    time_table.TimeTable.__init__, "__kwdefaults__", {"policy": RunPolicy(ratio=2, memtable=1)}
)
small_pieces = patch.object(changing, "PIECE", 2)


class Table:
    """The rows of a join, changed one by one."""

    def __init__(self, kind: JoinKind, ttl: int | None) -> None:
        self.kind, self.ttl = kind, 2**61 if ttl is None else ttl
        self.kept: tuple[list[list[Any]], list[list[Any]]] = ([], [])
        self.there: Counter[Row] = Counter()
        self.now, self.late = -(2**62), 0

    def change(self, port: int, row: Row, sign: int) -> None:
        if row[-1] + self.ttl < self.now:
            self.late += 1
        elif row[0] is None:
            if self.kind.unmatched(port):
                self.give(port, row, None, sign)
        elif sign > 0:
            self.kept[port].append([row, self.meets(port, row, sign)])
            self.alone(port, self.kept[port][-1], sign)
        else:
            self.take(port, row)

    def take(self, port: int, row: Row) -> None:
        mine = [one for one in self.kept[port] if one[0][:-1] == row[:-1]]
        if not mine:
            self.late += 1
            return
        one = next((one for one in mine if one[0] == row), mine[0])
        self.kept[port].remove(one)
        self.meets(port, one[0], -1)
        self.alone(port, one, -1)

    def alone(self, port: int, one: list[Any], sign: int) -> None:
        if self.kind.unmatched(port) if one[1] == 0 else self.given_once(port):
            self.give(port, one[0], None, sign)

    def given_once(self, port: int) -> bool:
        return self.kind is JoinKind.SEMI and port == 0

    def meets(self, port: int, row: Row, sign: int) -> int:
        partners = [one for one in self.kept[1 - port] if self.meet(row, one[0])]
        for one in partners:
            if self.kind.pairs:
                self.give(port, row, one[0], sign)
            self.alone(1 - port, one, -1)
            one[1] += sign
            self.alone(1 - port, one, 1)
        return len(partners)

    def meet(self, row: Row, other: Row) -> bool:
        return bool(row[0] == other[0] and abs(row[-1] - other[-1]) <= self.ttl)

    def give(self, port: int, row: Row, other: Row | None, sign: int) -> None:
        left, right = (other, row) if port else (row, other)
        mine = left[:-1] if left else (None,) * len(LEFT)
        theirs = right[:-1] if right else (None,) * len(RIGHT)
        made = (*mine, *(theirs if self.kind.pairs else ()))
        self.there[made] += sign

    def watermark(self, time: int) -> None:
        self.now = max(self.now, time)
        for kept in self.kept:
            kept[:] = [one for one in kept if one[0][-1] + self.ttl >= self.now]

    def relational(self) -> Counter[Row]:
        """The join of the rows that are there, by nested loops (no nulls among them)."""
        found = Table(self.kind, None)
        lefts, rights = ([one[0] for one in kept] for kept in self.kept)
        for row in lefts:
            partners = [other for other in rights if other[0] == row[0]]
            if self.kind.pairs:
                for other in partners:
                    found.give(0, row, other, 1)
            if (self.kind is JoinKind.SEMI) if partners else self.kind.unmatched(0):
                found.give(0, row, None, 1)
        for row in rights if self.kind.unmatched(1) else ():
            if row[0] not in [left[0] for left in lefts]:
                found.give(1, row, None, 1)
        return +found.there


def folded(rows: list[Row], there: Counter[Row]) -> None:
    """Apply changes; only rows that are there are taken back, with their event time."""
    for *row, kind in rows:
        there[tuple(row)] += -1 if kind in GONE else 1
        assert there[tuple(row)] >= 0, f"{row} is taken back, and was not there"


def changes_of(model: Table, port: int, ops: list[tuple[str, Row]], *, append: bool) -> list[Row]:
    """The rows of a batch with their kinds; the model follows."""
    found = []
    for op, any_row in ops:
        kept = [one[0] for one in model.kept[port]]
        sign = 1 if append or op == "add" else -1
        taken = sign < 0 and op == "take"
        if (taken and not kept) or (sign < 0 and not taken and any_row[0] is None):
            continue
        row = kept[any_row[-1] % len(kept)] if taken else any_row
        model.change(port, row, sign)
        kind = (RowKind.INSERT, RowKind.DELETE)[sign < 0]
        found.append(row if append else (*row, kind))
    return found


@many_merges
@small_pieces
@settings(max_examples=25)
@given(
    st.lists(EVENT, max_size=16),
    KINDS,
    st.sampled_from([None, None, 0, 7]),
    st.tuples(st.booleans(), st.booleans()),
)
def test_what_is_left_is_the_join_of_what_is_left(
    events: list[tuple[Any, Any]], kind: JoinKind, ttl: int | None, append: tuple[bool, bool]
) -> None:
    if kind is JoinKind.INNER and all(append):
        return  # rows that stay: test_join.py
    changes = [None if only else Changes(None) for only in append]
    subtasks = Subtasks(steps.Join(ON, kind, ttl_ms=ttl), 2, changes)
    subtasks.output.checks = False
    model, now = Table(kind, ttl), 0
    there: Counter[Row] = Counter()
    for what, value in events:
        if what == "watermark":
            now += value
            subtasks.watermark(now)
            model.watermark(now)
        elif what == "restart":
            subtasks.restart(value)
        else:
            rows = changes_of(model, what, value, append=append[what])
            subtasks.process(what, rows)
        folded(subtasks.output.rows, there)
        subtasks.output.rows.clear()
        left: Counter[Row] = Counter()
        for row, number in there.items():
            left[row[:-1]] += number
        assert +left == +model.there
        if ttl is None:
            null = Counter({row: n for row, n in left.items() if row[0] is None})
            null = Counter() if kind.unmatched(1) else null
            if not kind.unmatched(1):
                assert left - null == model.relational()
    subtasks.end()
    assert not subtasks.output.rows
    assert subtasks.counted == model.late


UPSERT = st.tuples(KEY.filter(lambda key: key is not None), st.integers(0, 9), st.integers(0, 30))


@many_merges
@small_pieces
@settings(max_examples=12)
@given(
    st.lists(st.tuples(st.integers(0, 1), st.lists(UPSERT, min_size=1, max_size=5)), max_size=8),
    st.sampled_from([JoinKind.INNER, JoinKind.LEFT, JoinKind.SEMI, JoinKind.ANTI, JoinKind.FULL]),
)
def test_rows_that_are_identified_can_be_upserted(
    events: list[tuple[int, list[Row]]], kind: JoinKind
) -> None:
    """Left: one row of each `a`, right: one of each key; 9 as a value deletes."""
    by = (Changes(("a",)), Changes(("j",)))
    subtasks = Subtasks(steps.Join(ON, kind), 3, by)
    subtasks.output.checks = False
    found = subtasks.step.changes(subtasks.step.schemas).by
    assert found == (("a", "k", "j") if kind is JoinKind.FULL else ("a", "k"))
    tables: tuple[dict[Any, Row], dict[Any, Row]] = ({}, {})
    upserted: dict[Any, Row] = {}
    for port, ops in events:
        rows = []
        for key, value, time in ops:
            name = key if port else value % 3
            row = (key, value, time) if port else (key, name, value, time)
            old, gone = tables[port].pop(name, None), value == 9
            if old is not None:
                rows.append((*old, RowKind.DELETE if gone else RowKind.UPDATE_BEFORE))
            if not gone:
                tables[port][name] = row
                rows.append((*row, RowKind.INSERT if old is None else RowKind.UPDATE_AFTER))
        subtasks.process(port, rows)
        columns = [*LEFT, *(RIGHT if kind.pairs else ()), "time", CHANGE]
        given = pl.DataFrame(subtasks.output.rows, schema=columns, orient="row")
        subtasks.output.rows.clear()
        for row in as_upserts(given, list(found)).to_dicts():
            key = tuple(row[name] for name in found)
            change = row.pop(CHANGE)
            upserted.pop(key, None)
            if change != RowKind.DELETE:
                upserted[key] = tuple(row.values())[:-1]
        model = Table(kind, None)
        for side in (0, 1):
            for one in tables[side].values():
                model.change(side, one, 1)
        assert Counter(upserted.values()) == +model.there


def test_a_change_of_a_match_is_an_update() -> None:
    subtasks = Subtasks(steps.Join(ON, JoinKind.LEFT), 1, (Changes(("a",)), Changes(("j",))))
    subtasks.output.checks = False
    subtasks.process(0, [(1, 10, None, 5, RowKind.INSERT)])
    subtasks.process(1, [(1, 7, 6, RowKind.INSERT)])
    subtasks.process(1, [(1, 7, 6, RowKind.UPDATE_BEFORE), (1, 8, 9, RowKind.UPDATE_AFTER)])
    assert subtasks.output.rows == [
        (1, 10, None, None, None, 5, RowKind.INSERT),
        (1, 10, None, None, None, 5, RowKind.UPDATE_BEFORE),
        (1, 10, None, 1, 7, 6, RowKind.UPDATE_AFTER),
        (1, 10, None, 1, 7, 6, RowKind.UPDATE_BEFORE),
        (1, 10, None, 1, 8, 9, RowKind.UPDATE_AFTER),
    ]


def rows_of(seed: int, name: str, rows: int) -> list[dict[str, Any]]:
    made = random.Random(seed)
    keys = [None, *range(rows // 3)]
    return [{"k": made.choice(keys), "at": n * 900, name: n} for n in range(rows)]


@pytest.mark.parametrize(
    ("how", "parallelism", "ttl"),
    [
        ("left", 1, None),
        ("full", 4, "20s"),
        ("right", 2, None),
        ("anti", 2, "5s"),
        ("semi", 2, None),
    ],
)
def test_a_whole_job_and_its_oracle(
    how: str, parallelism: int, ttl: str | None, tmp_path: Path
) -> None:
    sources = {"a": rows_of(1, "n", 80), "b": rows_of(2, "m", 80)}
    p = rs.Pipeline("outer", checkpoint_storage=str(tmp_path / "s"), parallelism=parallelism)
    a, b = (p.read(rs.Rows(rows), event_time="at", name=n) for n, rows in sources.items())
    out = rs.Collect()
    a.join(b, "k", how=how, ttl=ttl, name="joined").write(out, changes="log", name="out")
    p.run(until="latest", local=True)
    there: Counter[Row] = Counter()
    rows = out.rows()
    for row in rows:
        there[tuple(row.values())[1:]] += 1 if row["op"] in ("insert", "update_after") else -1
    expected = evaluate(p.graph(), sources)["out"]
    columns = [name for name in rows[0] if name != "op"]
    assert +there == Counter(tuple(row[name] for name in columns) for row in expected)


def test_two_tables_in_a_pipeline_file(tmp_path: Path) -> None:
    path = tmp_path / "p.yaml"
    path.write_text(
        f"""
version: 1
name: shops
sources:
  orders: {{files: {{path: {tmp_path}/orders}}, event_time: at, schema: {{shop: int, at: int}}}}
  visits: {{files: {{path: {tmp_path}/visits}}, event_time: at, schema: {{shop: int, at: int}}}}
steps:
  - from: orders
    key_by: [shop]
    aggregate: {{orders: count()}}
    name: ordered
  - from: visits
    key_by: [shop]
    aggregate: {{visits: count()}}
    name: visited
  - join: visited
    from: ordered
    keys: shop
    how: full
sink: {{files: {{path: {tmp_path}/out}}, changes: log}}
"""
    )
    p = load(str(path)).pipeline
    assert "full join on shop, rows live for ever" in p.explain()
    assert '.join(visited, on="shop", how="full")' in to_python(p)


def test_two_tables_over_crashes_and_rescales() -> None:
    p = rs.Pipeline("shops", parallelism=2)
    made = random.Random(5)
    sources = {
        name: [{"shop": made.randint(0, 9), "at": n * 500} for n in range(60)]
        for name in ("orders", "visits")
    }
    tables = [
        p.read(rs.Rows(sources[name]), event_time="at", name=name)
        .key_by("shop")
        .aggregate(**{name: rs.count()}, name=f"{name}_of_a_shop")
        for name in sources
    ]
    out = tables[0].join(tables[1], "shop", how="full", name="both")
    out.write(rs.Collect(), changes="upsert", name="out")
    items = {n: [*rows[:20], CRASH, *rows[20:40], CRASH, *rows[40:]] for n, rows in sources.items()}
    found = feed(p, items, parallelism=[2, 1, 3])["out"]
    assert sorted(map(repr, found)) == sorted(map(repr, evaluate(p.graph(), sources)["out"]))


@pytest.mark.parametrize(
    ("build", "message"),
    [
        (lambda a, b: a.join(b, "k", how="left").write(rs.Collect(), name="o"), "changes="),
        (
            lambda a, b: a.join(b, "k", how="left").write(rs.Collect(), changes="upsert"),
            "no columns identify the rows any more",
        ),
        (
            lambda a, b: a.join(b, "k", how="left").join(b, "k", within="1m").write(rs.Collect()),
            "interval_join takes rows that are only added",
        ),
    ],
)
def test_what_is_refused(build: Any, message: str) -> None:
    p = rs.Pipeline("outer")
    a, b = (p.read(rs.Rows(rows_of(1, n, 3)), event_time="at", name=n) for n in "nm")
    with pytest.raises(ConfigurationError, match=re.escape(message)):
        (build(a, b), p.explain())
