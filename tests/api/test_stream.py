"""What the verbs leave in the graph."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any, TypedDict

import polars as pl
import pytest

import raystream as rs
from raystream.graph.aggregates import Aggregate, AggregateKind
from raystream.graph.logical import Edge
from raystream.graph.policies import Early, OnClose
from tests.steps import FilterRows, FlatMap, KeyBy, Map, WindowAggregate, WithColumns

ROWS = [{"ts": 1, "ip": "a", "status": 200}]
SCHEMA = {"ts": int, "ip": str, "status": int}


@pytest.fixture
def p() -> rs.Pipeline:
    return rs.Pipeline("job")


@pytest.fixture
def rows(p: rs.Pipeline) -> rs.Stream:
    return p.read(rs.Rows(ROWS), event_time="ts", schema=SCHEMA, name="rows")


def last_step(p: rs.Pipeline) -> Any:
    return p.graph().nodes[-1].step


def test_a_function_in_filter_sees_rows(p: rs.Pipeline, rows: rs.Stream) -> None:
    rows.filter(lambda row: row["status"] > 1)
    assert isinstance(last_step(p), FilterRows)


def test_key_by_takes_names_expressions_and_functions(p: rs.Pipeline, rows: rs.Stream) -> None:
    keyed = rows.key_by("ip", rs.col("status") // 100, host=lambda row: row["ip"][:1])
    assert keyed.key == ("ip", "status", "host")
    step = last_step(p)
    assert isinstance(step, KeyBy)
    assert set(step.computed) == {"status", "host"}


def test_a_plain_column_expression_is_no_computed_key(p: rs.Pipeline, rows: rs.Stream) -> None:
    rows.key_by(rs.col("ip"))
    assert last_step(p) == KeyBy(("ip",), {})


def test_verbs_after_key_by_keep_the_key(p: rs.Pipeline, rows: rs.Stream) -> None:
    rows.key_by("ip").filter("status > 1").window(rs.tumbling("1s")).agg(n=rs.count())
    assert last_step(p).keys == ("ip",)


def test_a_window_without_key_is_one_global_group(p: rs.Pipeline, rows: rs.Stream) -> None:
    rows.window(rs.tumbling("1s")).agg(n=rs.count())
    assert last_step(p).keys == ()


def test_window_options(p: rs.Pipeline, rows: rs.Stream) -> None:
    late = rows.window(
        rs.hopping("10s", "5s"), emit=rs.early("1s"), allowed_lateness="3s", name="w", parallelism=3
    ).agg(n=rs.count())
    step = last_step(p)
    assert isinstance(step, WindowAggregate)
    assert (step.emit, step.allowed_lateness_ms) == (Early(1000), 3000)
    assert (p.graph().nodes[-1].name, p.graph().nodes[-1].parallelism) == ("w", 3)
    late.late.write(rs.Collect())
    assert p.graph().nodes[-1].inputs == (Edge(1, "late"),)


def test_emit_on_close_is_the_default(p: rs.Pipeline, rows: rs.Stream) -> None:
    rows.window(rs.tumbling("1s")).agg(n=rs.count())
    assert last_step(p).emit == OnClose()


def test_the_columns_of_an_aggregation_are_known_while_building(
    p: rs.Pipeline, rows: rs.Stream
) -> None:
    rows.key_by("ip").window(rs.tumbling("1s"), emit=rs.early("1s")).agg(
        n=rs.count(), best=rs.max("status")
    )
    schema = p.schema(Edge(len(p.graph().nodes) - 1))
    assert schema is not None
    assert schema.names() == ["ip", "window_start", "window_end", "n", "best", "final"]
    assert schema.key == ("ip",)


def test_functions_inside_aggregates_become_columns(p: rs.Pipeline, rows: rs.Stream) -> None:
    rows.window(rs.tumbling("1s")).agg(bad=rs.count(where=lambda row: row["status"] >= 500))
    before, window = p.graph().nodes[-2:]
    assert isinstance(before.step, Map)
    assert before.step.function({"status": 503})["_bad_where"] is True
    assert window.step == WindowAggregate(
        (), rs.tumbling("1s"), {"bad": Aggregate(AggregateKind.COUNT, None, '"_bad_where"')}
    )


def test_functions_in_with_columns_follow_the_expressions(p: rs.Pipeline, rows: rs.Stream) -> None:
    def length(row: dict[str, Any]) -> int:
        return len(row["ip"])

    rows.with_columns(bad="status >= 500", length=length)
    first, second = p.graph().nodes[-2:]
    assert isinstance(first.step, WithColumns)
    schema = p.schema(Edge(second.id))
    assert schema is not None
    assert schema.columns["length"] == pl.Int64()


class Visit(TypedDict):
    host: str


def test_a_typed_return_declares_the_columns(p: rs.Pipeline, rows: rs.Stream) -> None:
    def visits(row: dict[str, Any]) -> Iterator[Visit]:
        yield {"host": row["ip"]}

    rows.flat_map(visits)
    assert isinstance(last_step(p), FlatMap)
    schema = p.schema(Edge(1))
    assert schema is not None
    assert dict(schema.columns) == {"host": pl.String()}


def test_behind_an_untyped_function_columns_are_open(p: rs.Pipeline, rows: rs.Stream) -> None:
    rows.map(lambda row: row).filter("whatever > 1").key_by("anything")
    schema = p.schema(Edge(3))
    assert schema is not None
    assert schema.open
    assert schema.key == ("anything",)


def test_names_of_columns_that_are_options_go_in_a_mapping(p: rs.Pipeline, rows: rs.Stream) -> None:
    rows.with_columns({"name": "upper(ip)"}, name="step")
    assert p.graph().nodes[-1].name == "step"
    assert last_step(p).columns == {"name": "upper(ip)"}


def test_offsets_may_be_moments() -> None:
    start = datetime(2026, 11, 22, 9, 0, 30, tzinfo=UTC)
    assert rs.tumbling("1m", offset=start).offset_ms == 30_000
    assert rs.tumbling("1m", offset="90s").offset_ms == 30_000
    assert rs.tumbling("1m", offset=-15_000).offset_ms == 45_000


def test_every_public_name_is_there() -> None:
    assert [name for name in rs.__all__ if getattr(rs, name) is None] == []
