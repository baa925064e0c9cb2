from __future__ import annotations

import json
from datetime import date, datetime, time, timedelta
from decimal import Decimal
from typing import Annotated

import polars as pl
import pytest

from raystream.data.ipc import from_ipc, to_ipc
from raystream.data.types import NAMES, from_json, parse_type, to_json, word_of
from raystream.errors import ConfigurationError


@pytest.mark.parametrize(
    ("declared", "dtype"),
    [
        ("decimal(18,2)", pl.Decimal(18, 2)),
        ("DECIMAL( 38 , 38 )", pl.Decimal(38, 38)),
        ("numeric(5)", pl.Decimal(5, 0)),
        ("date", pl.Date()),
        ("time", pl.Time()),
        ("datetime", pl.Datetime("us")),
        ("timestamp", pl.Datetime("us", "UTC")),
        ("duration", pl.Duration("us")),
        ("bytes", pl.Binary()),
        (Decimal, pl.Decimal(38, 9)),
        (Annotated[Decimal, "decimal(18,2)"], pl.Decimal(18, 2)),
        (date, pl.Date()),
        (datetime, pl.Datetime("us")),
        (time, pl.Time()),
        (timedelta, pl.Duration("us")),
        (bytes, pl.Binary()),
        (list[Decimal], pl.List(pl.Decimal(38, 9))),
    ],
)
def test_declared_types(declared: object, dtype: pl.DataType) -> None:
    assert parse_type(declared, "c") == (dtype, False)
    assert from_json(to_json(dtype)) == dtype


def test_a_decimal_may_be_not_null() -> None:
    assert parse_type("decimal(18,2) not null", "c") == (pl.Decimal(18, 2), True)
    assert parse_type(Annotated[Decimal, "decimal(9,3)", "not null"], "c") == (
        pl.Decimal(9, 3),
        True,
    )


@pytest.mark.parametrize("declared", ["decimal", "decimal(39,2)", "decimal(0)", "decimal(2,3)"])
def test_impossible_decimals_are_refused(declared: str) -> None:
    with pytest.raises(ConfigurationError, match=r"decimal\(18,2\)"):
        parse_type(declared, "c")


def test_every_type_that_has_a_word_has_one_that_reads_back() -> None:
    for dtype in (*NAMES.values(), pl.Decimal(18, 2)):
        assert parse_type(word_of(dtype), "c") == (dtype, False)


@pytest.mark.parametrize(
    "dtype",
    [
        pl.Int128(), pl.UInt64(), pl.UInt8(), pl.Float32(), pl.Decimal(38, 6), pl.Categorical(),
        pl.Enum(["b", "a"]), pl.Array(pl.Float32, 3), pl.List(pl.Decimal(9, 2)),
        pl.Struct({"a": pl.Enum(["x"]), "b": pl.List(pl.Int128)}), pl.Null(),
    ],
    ids=str,
)  # fmt: skip
def test_what_an_aggregate_can_give_is_kept_with_a_checkpoint(dtype: pl.DataType) -> None:
    assert from_json(json.loads(json.dumps(to_json(dtype)))) == dtype
    frame = pl.DataFrame({"c": pl.Series([None], dtype=dtype)})
    assert from_ipc(to_ipc(frame)).schema == frame.schema
