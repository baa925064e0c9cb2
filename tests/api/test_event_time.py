"""A unit that the schema of the source says goes along with its column, as long as it is that."""

from __future__ import annotations

from typing import Any

import polars as pl
import pytest

import raystream as rs
from raystream.errors import ConfigurationError
from raystream.testing import feed

T = 1_700_000_040
SCHEMA = {"ts": "int", "at": "timestamp_s", "k": "string"}


def in_ms(row: dict[str, Any]) -> dict[str, Any]:
    return {**row, "at": row["at"] * 1000}


def window_start(change: Any) -> int:
    p = rs.Pipeline("units")
    rows = p.read(rs.Rows([]), name="in", schema=SCHEMA, event_time="ts")
    counts = change(rows).window(rs.tumbling("1m")).agg(n=rs.count())
    counts.write(rs.Collect(), name="out")
    (row,) = feed(p, {"in": [{"ts": T * 1000, "at": T, "k": "a"}]})["out"]
    return int(row["window_start"])


@pytest.mark.parametrize(
    "change",
    [
        lambda rows: rows,
        lambda rows: rows.filter("k = 'a'").key_by("k").drop("ts"),
        lambda rows: rows.select("at", "k").with_columns(n="1"),
        lambda rows: rows.filter(lambda row: True).with_columns(other=pl.col("k")),
        lambda rows: rows.map(dict, schema=SCHEMA),
        lambda rows: rows.with_event_time("ts", event_time_unit="ms"),
        lambda rows: rows.rename(at="then", k="at").rename(at="k", then="at"),
        lambda rows: rows.with_columns(then="at").drop("at").select("k", at="then"),
        lambda rows: rows.select("k", pl.col("at").alias("b")).with_columns(at=pl.col("b")),
        lambda rows: rows.filter("k = 'a'").union(rows.filter("k = 'b'")),
    ],
)
def test_it_goes_along(change: Any) -> None:
    assert window_start(lambda rows: change(rows).with_event_time("at")) == T * 1000


@pytest.mark.parametrize(
    "change",
    [
        lambda rows: rows.with_columns(at="at * 1000"),
        lambda rows: rows.rename(at="s").with_columns(at="s * 1000"),
        lambda rows: rows.select("k", at="at * 1000"),
        lambda rows: rows.select("k", (pl.col("at") * 1000).alias("at")),
        lambda rows: rows.map(in_ms, schema={**SCHEMA, "at": "int"}),
        lambda rows: rows.map(in_ms, schema={**SCHEMA, "at": "timestamp_ms"}),
    ],
)
def test_not_with_another_column_of_the_name(change: Any) -> None:
    assert window_start(lambda rows: change(rows).with_event_time("at")) == T * 1000


def test_another_unit_is_refused() -> None:
    with pytest.raises(ConfigurationError, match="but the schema says 's' of 'at'"):
        window_start(lambda rows: rows.with_event_time("at", event_time_unit="ms"))
