"""Lookups in a table that is read before: order, barriers, cuts, restarts, rescales."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Sequence
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
from raystream.data.batch import TIME, Batch
from raystream.errors import ConfigurationError
from raystream.operators.joins.kinds import JoinKind
from raystream.operators.lookup import operator
from raystream.testing.feed import CRASH, EOF, feed
from raystream.verify.evaluate import evaluate
from tests import steps
from tests.operators.joining import ON, RIGHT, Model, Row, Subtasks
from tests.operators.test_interval_join import LEFT, in_order
from tests.operators.test_interval_join import RIGHT as TABLE_ROW

KINDS = st.sampled_from([JoinKind.INNER, JoinKind.LEFT, JoinKind.SEMI, JoinKind.ANTI])
BATCH = st.lists(LEFT, min_size=1, max_size=5)
EVENT = st.one_of(
    st.tuples(st.just("rows"), BATCH),
    st.tuples(st.just("table"), st.lists(TABLE_ROW, min_size=1, max_size=5)),
    st.tuples(st.just("restart"), st.sampled_from([1, 2, 3])),
)
LATER = st.one_of(
    st.tuples(st.just("rows"), BATCH), st.tuples(st.just("restart"), st.sampled_from([1, 2, 3]))
)


class Everywhere(Subtasks):
    """The table goes to all subtasks."""

    def process(self, port: int, rows: Sequence[Row]) -> None:
        if not port:
            super().process(port, rows)
            return
        frame = pl.DataFrame(rows, schema={**RIGHT, TIME: pl.Int64()}, orient="row")
        for one in self.operators:
            one.process(Batch(frame), 1)

    def ended(self) -> None:
        for one in self.operators:
            one.input_ended(1)
            self.finish(one)


@patch.object(operator, "PIECE", 2)
@settings(max_examples=25)
@given(st.lists(EVENT, max_size=8), st.lists(LATER, max_size=6), KINDS)
def test_every_row_meets_the_whole_table(
    before: list[tuple[str, Any]], after: list[tuple[str, Any]], kind: JoinKind
) -> None:
    subtasks = Everywhere(steps.Lookup(ON, kind), 2)
    subtasks.output.checks = False
    lefts: list[Row] = []
    table: list[Row] = []
    for number, (what, value) in enumerate([*before, ("whole", None), *after]):
        if what == "restart":
            subtasks.restart(value)
            if number > len(before):
                subtasks.ended()  # its source tells so again
        elif what == "whole":
            assert not subtasks.output.rows
            subtasks.ended()
        else:
            port = int(what == "table")
            (table if port else lefts).extend(value)
            subtasks.process(port, value)
    model = Model(kind, lambda left: (-(2**60), 2**60), lambda port, row: 0)
    for row in lefts:
        partners = [other for other in table if row[0] is not None and other[0] == row[0]]
        for other in partners if kind.pairs else ():
            model.give(row, (*other[:-1], row[-1]))
        if kind is JoinKind.SEMI if partners else kind.unmatched(0):
            model.give(row, None)
    assert in_order(subtasks.output.rows) == in_order(model.rows)


@pytest.mark.parametrize("how", ["inner", "left", "anti"])
def test_a_whole_job_over_crashes_and_rescales(how: str) -> None:
    rows = [{"k": n % 7, "at": n * 500, "n": n} for n in range(60)]
    table = [{"code": n % 5, "name": f"name {n}"} for n in range(8)]
    p = rs.Pipeline("names", parallelism=2)
    named = p.read(rs.Rows(table), name="table")
    stream = p.read(rs.Rows(rows), event_time="at", name="rows").key_by("n")
    stream.lookup(named, {"k": "code"}, how=how, name="named").write(rs.Collect(), name="out")
    fed = {
        "rows": [*rows[:15], CRASH, *rows[15:30], EOF, *rows[30:]],
        "table": [*table[:3], CRASH, *table[3:]],
    }
    found = feed(p, fed, parallelism=[2, 1, 3, 2])["out"]
    every = evaluate(p.graph(), {"rows": rows, "table": table})["out"]
    assert Counter(map(repr, found)) == Counter(map(repr, every))
    assert [row["n"] for row in feed(p, {"rows": rows, "table": table})["out"]] == [
        row["n"] for row in every
    ]


def test_in_yaml_and_in_python(tmp_path: Path) -> None:
    path = tmp_path / "p.yaml"
    path.write_text(
        f"""
version: 1
name: names
sources:
  orders: {{files: {{path: {tmp_path}/a}}, event_time: at, schema: {{code: string, at: int}}}}
  names: {{files: {{path: {tmp_path}/b}}, schema: {{code: string, name: string}}}}
steps:
  - lookup: names
    from: orders
    keys: code
    how: left
sink: {{files: {{path: {tmp_path}/out}}}}
"""
    )
    p = load(str(path)).pipeline
    explained = p.explain(parallelism=2)
    assert "left lookup on code" in explained
    assert "broadcast" in explained
    assert '.lookup(names, on="code", how="left")' in to_python(p)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"how": "full"}, "how 'full' is unknown"),
        ({"on": "id"}, "the other stream has no column 'id'"),
        ({"table": 0}, "lookup: stream and table both come from 'rows', which is one source"),
    ],
)
def test_what_is_refused(options: dict[str, Any], message: str) -> None:
    p = rs.Pipeline("names")
    columns = {"k": "int", "id": "int"}
    stream = p.read(rs.Rows([{"k": 1, "id": 5}]), schema=columns, name="rows")
    table = p.read(rs.Rows([{"k": 1}]), schema={"k": "int"}, name="table")
    given = {"on": "k", "table": table, **options}
    given["table"] = given["table"] or stream
    with pytest.raises(ConfigurationError, match=re.escape(message)):
        (stream.lookup(**given).write(rs.Collect()), p.explain())


def test_rows_that_change_others_are_refused() -> None:
    p = rs.Pipeline("names")
    stream = p.read(rs.Rows([{"k": 1}]), name="rows")
    table = p.read(rs.Rows([{"k": 1}]), name="table").key_by("k").aggregate(n=rs.count())
    with pytest.raises(ConfigurationError, match="lookup takes rows that are only added"):
        (stream.lookup(table, "k").write(rs.Collect()), p.explain())
