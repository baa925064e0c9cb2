"""The evaluator of graphs agrees with the oracles, which are other code again."""

from __future__ import annotations

import math
from decimal import Decimal
from typing import Any

import polars as pl
import pytest

from raystream.connectors.memory import Collect, Rows
from raystream.errors import ConfigurationError
from raystream.graph.aggregates import Aggregate, AggregateKind
from raystream.graph.logical import Edge, LogicalGraph, Node, Origin
from raystream.graph.windows import Cumulative, Hopping, Tumbling, Window
from raystream.verify.compare import compare
from raystream.verify.evaluate import evaluate, readers
from tests import steps
from tests.support import generator, oracle

COUNT = Aggregate(AggregateKind.COUNT)
OF_ONE_VALUE = [
    AggregateKind(each)
    for each in "count sum min max mean first last count_distinct variance stddev".split()
]


def line(*made: steps.Step) -> LogicalGraph:
    """Steps one behind the other, between a source `in` and a sink `out`."""
    all_steps = [
        ("in", steps.Read(Rows([]), event_time="ts")),
        *((f"step-{n}", step) for n, step in enumerate(made)),
        ("out", steps.Write(Collect("unused"))),
    ]
    nodes = [
        Node(n, name, step, Origin("job.py", n), (Edge(n - 1),) if n else ())
        for n, (name, step) in enumerate(all_steps)
    ]
    return LogicalGraph("job", tuple(nodes))


def answer(graph: LogicalGraph, frame: pl.DataFrame) -> list[dict[str, Any]]:
    return evaluate(graph, {"in": frame.to_dicts()})["out"]


def counting(window: Window, key: str, **aggregates: Aggregate) -> LogicalGraph:
    return line(steps.KeyBy((key,)), steps.WindowAggregate((key,), window, aggregates))


def test_requests_per_minute() -> None:
    frame = generator.requests(3000, keys=50, per_second=20)
    graph = counting(Tumbling(60_000), "ip", count=COUNT)
    right = oracle.requests_per_minute(frame)
    assert compare(right, answer(graph, frame), ["ip", "window_start"]).same


def test_running_totals() -> None:
    frame = generator.orders(2000, per_second=10)
    window = Cumulative(600_000, 60_000, generator.START_MS)
    quantity = Aggregate(AggregateKind.SUM, pl.col("quantity"))
    amount = Aggregate(AggregateKind.SUM, "quantity * price")
    graph = counting(window, "product", orders=COUNT, quantity=quantity, amount=amount)
    right = oracle.running_totals(frame, 600_000, 60_000, generator.START_MS)
    assert compare(right, answer(graph, frame), ["product", "window_end"]).same


def test_campaign_effect_with_where_and_computed_columns() -> None:
    frame = generator.app_events(2000, per_second=2)
    kinds = ("impression", "click", "install", "purchase")
    counts = {f"{k}s": Aggregate(AggregateKind.COUNT, where=f"event = '{k}'") for k in kinds}
    revenue = Aggregate(AggregateKind.SUM, pl.col("amount"))
    graph = line(
        steps.KeyBy(("campaign",)),
        steps.WindowAggregate(
            ("campaign",), Hopping(600_000, 60_000), {**counts, "revenue": revenue}
        ),
        steps.WithColumns(
            {
                "click_rate": "case when impressions > 0 then clicks * 1e0 / impressions end",
                "conversion_rate": pl.when(pl.col("clicks") > 0).then(
                    pl.col("purchases") / pl.col("clicks")
                ),
            }
        ),
    )
    right = oracle.campaign_effect(frame)
    assert compare(right, answer(graph, frame), ["campaign", "window_start"]).same


def test_row_and_column_steps() -> None:
    frame = pl.DataFrame({"ts": [1, 2, 3], "n": [1, 2, 3], "more": ["x", "y", "z"]})
    graph = line(
        steps.Filter("n >= 2"),
        steps.FlatMap(lambda row: [row, {**row, "n": row["n"] * 10}]),
        steps.FilterRows(lambda row: row["n"] != 3),
        steps.Map(lambda row: {**row, "n": row["n"] + 1}),
        steps.Drop(("more",)),
        steps.MapBatches(lambda batch: batch.with_columns(pl.col("n") * 2)),
        steps.Select(("n", (pl.col("n") + 1).alias("next")), computed={"half": "n // 2"}),
    )
    assert answer(graph, frame) == [
        {"n": 6, "next": 7, "half": 3},
        {"n": 42, "next": 43, "half": 21},
        {"n": 62, "next": 63, "half": 31},
    ]


def test_first_and_last_are_by_event_time() -> None:
    frame = pl.DataFrame({"ts": [30, 10, 20], "k": ["a"] * 3, "v": [3, 1, 2]})
    kinds = {kind.value: Aggregate(kind, "v") for kind in OF_ONE_VALUE}
    (row,) = answer(counting(Tumbling(100), "k", **kinds), frame)
    assert {n: row[n] for n in kinds} == {
        "count": 3,
        "sum": 6,
        "min": 1,
        "max": 3,
        "mean": 2.0,
        "first": 1,
        "last": 3,
        "count_distinct": 3,
        "variance": 1.0,
        "stddev": 1.0,
    }


def test_last_is_of_one_row_and_means_of_decimals_are_rounded() -> None:
    money = pl.Series([Decimal("0.01"), None, Decimal("0.00")], dtype=pl.Decimal(18, 2))
    nan = pl.Series([1.0, math.nan, None])
    frame = pl.DataFrame({"ts": [1, 2, 2], "k": ["a"] * 3, "m": money, "x": nan})
    asked = {
        "mean": Aggregate(AggregateKind.MEAN, "m"),
        "last_m": Aggregate(AggregateKind.LAST, "m"),
        "last_x": Aggregate(AggregateKind.LAST, "x"),
        "low": Aggregate(AggregateKind.MIN, "x"),
        "high": Aggregate(AggregateKind.MAX, "x"),
    }
    (row,) = answer(counting(Tumbling(100), "k", **asked), frame)
    assert row["mean"] == Decimal("0.005000")
    assert (row["last_m"], row["last_x"], row["low"]) == (Decimal("0.00"), None, 1.0)
    assert math.isnan(row["high"])


def test_a_source_without_rows_is_named() -> None:
    graph = line()
    assert list(readers(graph)) == ["in"]
    with pytest.raises(ConfigurationError, match="job.py:0: no rows for source 'in'"):
        evaluate(graph, {"other": []})
