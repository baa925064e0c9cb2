"""Columns of joins: names, types, what is needed of each input, what is refused."""

from __future__ import annotations

from typing import Any

import polars as pl
import pytest

import raystream as rs
from raystream.api.stream import Stream
from raystream.errors import ConfigurationError

ORDERS = {"id": "int", "at": "timestamp_ms", "sum": "int", "note": "string"}
PAYMENTS = {"order": "int", "at": "timestamp_ms", "sum": "int", "way": "string"}


def streams(left: Any = None, right: Any = None) -> tuple[rs.Pipeline, Stream, Stream]:
    p = rs.Pipeline("shop")
    orders = p.read(rs.Payloads([]), schema=left or ORDERS, event_time="at", name="orders")
    payments = p.read(rs.Payloads([]), schema=right or PAYMENTS, event_time="at", name="payments")
    return p, orders, payments


def columns(p: rs.Pipeline, name: str) -> list[str]:
    return next(spec.read.schema.names() for _, spec in p.plan().steps() if spec.name == name)  # type: ignore[union-attr]


@pytest.mark.parametrize(
    ("wanted", "orders", "payments"),
    [
        (["id"], ["id", "at"], ["order", "at"]),
        (["note"], ["id", "at", "note"], ["order", "at"]),
        (["sum"], ["id", "at", "sum"], ["order", "at"]),
        (["sum_right", "way"], ["id", "at", "sum"], ["order", "at", "sum", "way"]),
    ],
)
def test_only_what_is_needed_is_read_of_each_stream(
    wanted: list[str], orders: list[str], payments: list[str]
) -> None:
    p, left, right = streams()
    both = left.join(right, {"id": "order"}, within="1m")
    both.select(*wanted).write(rs.Collect())
    assert columns(p, "orders") == orders
    assert columns(p, "payments") == payments


@pytest.mark.parametrize("how", ["semi", "anti"])
def test_a_semi_join_reads_only_keys_of_the_other_stream(how: str) -> None:
    p, left, right = streams()
    left.join(right, {"id": "order"}, within=("0s", "at"), how=how).write(rs.Collect())
    assert columns(p, "orders") == ["id", "at", "sum", "note"]
    assert columns(p, "payments") == ["order", "at"]


def test_keys_and_columns_of_each_kind() -> None:
    _, left, right = streams()
    both = left.join(right, {"id": "order"}, within="1m")
    assert both.key == ("id",)
    schema = both._pipeline.schema(both._edge)
    assert schema is not None
    assert schema.names() == [
        "id", "at", "sum", "note", "order", "at_right", "sum_right", "way"
    ]  # fmt: skip
    assert left.join(right, {"id": "order"}, within="1m", how="right").key == ("order",)
    assert left.join(right, {"id": "order"}, within="1m", how="full").key == ()
    other = right.rename(order="id")
    assert left.join(other, "id", within="1m", how="full").key == ("id",)


def test_one_key_of_two_widths_holds_both() -> None:
    rows = [{"k": -7, "at": 1, "a": 1}], [{"k": -7, "at": 1, "b": 2}, {"k": 300, "at": 1, "b": 3}]
    p = rs.Pipeline("widths", parallelism=3)
    small, wide = {"k": pl.Int8(), "at": "int", "a": "int"}, {"k": "int", "at": "int", "b": "int"}
    left = p.read(rs.Rows(rows[0]), schema=small, event_time="at", name="left")
    right = p.read(rs.Rows(rows[1]), schema=wide, event_time="at", name="right")
    got = left.join(right, "k", within="1s", how="full").collect().sort("b")
    assert got.schema["k"] == pl.Int64
    assert got["k"].to_list() == [-7, 300]
    assert got["a"].to_list() == [1, None]


def refused(message: str, left: Any = None, right: Any = None, **options: Any) -> None:
    _, mine, theirs = streams(left, right)
    options = {"on": {"id": "order"}, "within": "1m", **options}
    with pytest.raises(ConfigurationError) as caught:
        mine.join(theirs, **options)
    assert message in str(caught.value)
    assert "test_join_columns.py:" in str(caught.value)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"on": "id"}, "join: the other stream has no column 'id'"),
        ({"on": {"idd": "order"}}, "join: this stream has no column 'idd'; did you mean 'id'?"),
        ({"on": {"note": "order"}}, "'note' of type String and 'order' of type Int64"),
        ({"on": []}, "join takes names of columns, not on=[]"),
        ({"on": 5}, "join takes names of columns, not on=5"),
        ({"on": ["id", "id"]}, "column 'id' is there twice"),
        ({"how": "outer"}, "how 'outer' is unknown"),
        ({"ttl": "1h"}, "within= says which rows meet, so it takes no ttl="),
        ({"within": None, "window": "1m"}, "join takes a window with fixed ends, not '1m'"),
        ({"within": None, "ttl": 5}, "ttl: 5 is not a duration"),
        ({"within": ("1m", "0s")}, "ends before it begins"),
        ({"within": ("1m",)}, "join takes two ends"),
        ({"within": ("0s", 5)}, "an end of within is 5"),
        ({"within": ("0s", "expirse")}, "join within: no column 'expirse'"),
        ({"within": ("0s", "note")}, "join within: column 'note' of type String is no time"),
        ({"suffix": ""}, "suffix '' is no text"),
        ({"within": "x"}, "within: 'x' is not a duration"),
    ],
)
def test_what_does_not_fit_is_refused_at_its_line(options: dict[str, Any], message: str) -> None:
    refused(message, **options)


def test_names_that_collide_even_with_a_suffix_are_refused() -> None:
    refused("column 'sum' of the other stream would be 'sum_right', which exists",
            {**ORDERS, "sum_right": "int"})  # fmt: skip


def test_a_unit_that_is_no_millisecond_is_refused() -> None:
    refused("column 'end' is declared as timestamp_s", {**ORDERS, "end": "timestamp_s"},
            within=("0s", "end"))  # fmt: skip


def test_a_stream_of_another_pipeline_and_rows_that_are_replaced_are_refused() -> None:
    _, left, _ = streams()
    _, _, other = streams()
    with pytest.raises(ConfigurationError, match="join takes streams of the same pipeline"):
        left.join(other, {"id": "order"}, within="1m")
    _, left, right = streams()
    window = right.key_by("order").window(rs.tumbling("1m"), allowed_lateness="1m")
    counts = window.agg(n=rs.count())
    with pytest.raises(ConfigurationError, match="has allowed_lateness"):
        left.join(counts, {"id": "order"}, within="1m")


@pytest.mark.parametrize("limit", [{"within": "1s"}, {"window": rs.tumbling("1m")}])
def test_rows_that_change_others_are_refused(limit: dict[str, Any]) -> None:
    _, left, right = streams()
    counts = right.key_by("order").aggregate(n=rs.count())
    with pytest.raises(ConfigurationError, match="takes rows that are only added"):
        left.join(counts, {"id": "order"}, **limit)
