from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, TypedDict

import polars as pl
import pytest

from raystream.data.batch import HIDDEN, TIME
from raystream.data.inference import infer_schema
from raystream.data.schema import Schema, no_column
from raystream.errors import ConfigurationError


@dataclass
class Request:
    ts: Annotated[int, "not null"]
    ip: str
    size: float | None
    tags: list[str]


class Place(TypedDict):
    city: str
    zip: int


class Order(TypedDict):
    id: int
    place: Place


def test_words_python_types_and_polars_types_say_the_same() -> None:
    words = Schema.of({"a": "int", "b": "float", "c": "string", "d": "bool", "e": "binary"})
    python = Schema.of({"a": int, "b": float, "c": str, "d": bool, "e": bytes})
    polars = Schema.of(
        pl.Schema({"a": pl.Int64, "b": pl.Float64, "c": pl.String, "d": pl.Boolean, "e": pl.Binary})
    )
    assert words == python == polars


def test_times_are_whole_milliseconds() -> None:
    assert Schema.of({"ts": "timestamp_ms"}).columns == {"ts": pl.Int64()}


def test_columns_are_nullable_unless_declared_otherwise() -> None:
    assert Schema.of({"ts": "timestamp_ms not null", "ip": "string"}).required == {"ts"}
    assert Schema.of(Request).required == {"ts"}


def test_dataclass_and_typed_dict_with_nested_types() -> None:
    assert Schema.of(Request).columns["tags"] == pl.List(pl.String())
    assert Schema.of(Request).columns["size"] == pl.Float64()
    assert Schema.of(Order).columns["place"] == pl.Struct({"city": pl.String(), "zip": pl.Int64()})


def test_schema_survives_json() -> None:
    declared = Schema.of(Order).with_key(("id",))
    more = {**declared.columns, "d": pl.Datetime("ms", "UTC"), "l": pl.List(pl.List(pl.Int32()))}
    schema = Schema(more, frozenset({"id"}), ("id",))
    assert Schema.from_json(schema.to_json()) == schema


@pytest.mark.parametrize(
    ("declared", "message"),
    [
        (
            {"a": "integer"},
            "column 'a': 'integer' is not a type; write one of int, float, string, "
            "bool, binary, timestamp_ms, timestamp_s, timestamp_us, timestamp_ns, iso8601, "
            "date, time, datetime, timestamp, duration, bytes, "
            "decimal(18,2)",
        ),
        (
            {"a": {"b": "int"}},
            "column 'a': {'b': 'int'} is not a type; write one of int, float, string, "
            "bool, binary, timestamp_ms, timestamp_s, timestamp_us, timestamp_ns, iso8601, "
            "date, time, datetime, timestamp, duration, bytes, "
            "decimal(18,2)",
        ),
        (
            {HIDDEN + "a": "int"},
            "'\\x1fraystream\\x1fa' cannot be the name of a column; names are text "
            "without '\\x1fraystream\\x1f' in front",
        ),
        (
            5,
            "5 is not a schema; give a dict of column name to type, a dataclass, a TypedDict or a "
            "Polars schema",
        ),
    ],
)
def test_what_is_no_schema_is_said(declared: object, message: str) -> None:
    with pytest.raises(ConfigurationError) as error:
        Schema.of(declared)
    assert str(error.value) == message


def test_misspelt_column_gets_the_nearest_name() -> None:
    assert str(no_column("ipp", [TIME, "ts", "ip"])) == (
        "no column 'ipp'; did you mean 'ip'? columns: ts, ip"
    )


def test_inferred_number_is_an_integer_only_if_all_samples_are() -> None:
    schema = infer_schema([{"n": 1, "x": 1}, {"n": 2, "x": 2.0}, {"n": None, "x": None}])
    assert schema is not None
    assert schema.columns == {"n": pl.Int64(), "x": pl.Float64()}


def test_inference_of_nested_null_and_disagreeing_columns() -> None:
    rows = [
        {"l": [1, 2.5], "s": {"a": 1}, "n": None, "m": 1},
        {"s": {"b": "x"}, "m": "a"},
        {"m": "b"},
    ]
    schema = infer_schema(rows)
    assert schema is not None
    assert schema.columns == {
        "l": pl.List(pl.Float64()),
        "s": pl.Struct({"a": pl.Int64(), "b": pl.String()}),
        "n": pl.String(),
        "m": pl.String(),
    }
    assert infer_schema([]) is None
