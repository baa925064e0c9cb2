"""A value that a format has no form for stops the sink with column and row; none is changed."""

from __future__ import annotations

import math
from typing import Any

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from raystream.data.schema import Schema
from raystream.errors import ConfigurationError, DataError
from raystream.formats.base import Format
from raystream.formats.csv import Csv
from raystream.formats.json import Json
from raystream.formats.raw import Raw

NAN, INF = float("nan"), float("inf")


def encoded(form: Format, column: pl.Series) -> Any:
    return form.encoder(Schema(dict(column.to_frame().schema))).encode(column.to_frame())


@pytest.mark.parametrize(
    ("form", "column"),
    [
        (Json(), pl.Series([0, 2**62]).cast(pl.Datetime("ms"))),
        (Csv(), pl.Series([0, -(2**62)]).cast(pl.Datetime("ms", "UTC"))),
        (Json(), pl.Series([0, 2**63 - 1]).cast(pl.Datetime("us"))),
        (Json(), pl.Series([0, 2**31 - 1], dtype=pl.Int32).cast(pl.Date)),
        (Csv(), pl.Series([0, -(2**31)], dtype=pl.Int32).cast(pl.Date)),
        (Json("ns"), pl.Series([0, 2**62]).cast(pl.Datetime("us"))),
        (Json({"": "iso8601"}), pl.Series([0, 2**62])),
        (Json({"": "%Y-%m-%d"}), pl.Series([0, -(2**62)])),
        (Json(), pl.Series([[0], [1, 2**62]]).cast(pl.List(pl.Datetime("ms")))),
        (Json(), pl.Series([{"at": 0}, {"at": 2**62}]).cast(pl.Struct({"at": pl.Datetime("ms")}))),
        (Json(nan="fail"), pl.Series([1.0, NAN])),
        (Json(nan="fail"), pl.Series([[1.0], [2.0, -INF]])),
        (Json(nan="fail"), pl.Series([{"x": None}, {"x": [INF]}])),
    ],
)
def test_it_is_named_with_column_and_row(form: Format, column: pl.Series) -> None:
    assert len(encoded(form, column.slice(0, 1))) == 1
    with pytest.raises(DataError, match="column '.*cannot be written") as refused:
        encoded(form, column)
    assert refused.value.where == "row 1 of a batch"


FLOATS = st.none() | st.floats() | st.sampled_from([NAN, INF, -INF])
NESTED = st.none() | st.lists(FLOATS, max_size=3)


@given(st.lists(st.tuples(FLOATS, NESTED, NESTED), max_size=6))
def test_what_json_writes_as_null_is_counted(rows: list[tuple[Any, Any, Any]]) -> None:
    schema = Schema(
        {
            "x": pl.Float64(),
            "many": pl.List(pl.Float64()),
            "object": pl.Struct({"l": pl.List(pl.Float32)}),
        }
    )
    given = [(x, many, None if inner is None else {"l": inner}) for x, many, inner in rows]
    frame = pl.DataFrame(given, schema=schema.polars(), orient="row", strict=False)
    encoder = Json().encoder(schema)
    encoder.encode(frame)
    lists = [*frame["many"].to_list(), *frame["object"].struct.field("l").to_list()]
    values = [*frame["x"].to_list(), *(value for each in lists for value in each or [])]
    expected = sum(value is not None and not math.isfinite(value) for value in values)
    assert encoder.nulled() == expected
    assert encoder.nulled() == 0


def test_raw_null_is_a_record_without_a_value() -> None:
    assert encoded(Raw(), pl.Series([b"", None, b"a"])) == [b"", None, b"a"]


def test_nan_is_one_of_two_words() -> None:
    with pytest.raises(ConfigurationError, match="nan: 'zero' is not a way"):
        Json(nan="zero")
