"""Two keys that differ have two texts: a compacted topic keeps both."""

from __future__ import annotations

import datetime as dt
from typing import Any

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from raystream.connectors.base import WriteOptions
from raystream.connectors.kafka.outgoing import to_messages
from raystream.connectors.kafka.record_headers import headers_of
from raystream.data.schema import Schema
from raystream.errors import ConfigurationError, DataError
from raystream.formats.json import Json
from raystream.formats.raw import Raw

NS = st.integers(-(10**19) // 2, 10**18)
KINDS: dict[pl.DataType, Any] = {
    pl.Float64(): st.floats(),
    pl.Float32(): st.floats(width=32),
    pl.Int64(): st.integers(-(2**63), 2**63 - 1),
    pl.Time(): st.integers(0, 86_400 * 10**9 - 1),
    pl.Datetime("ns"): st.integers(-3, 3) | NS,
    pl.Datetime("us", "Europe/Berlin"): st.integers(-(10**15), 10**15),
    pl.Duration("ns"): st.integers(-3, 3) | NS,
    pl.Duration("us"): st.integers(-(10**15), 10**15),
    pl.Boolean(): st.booleans(),
    pl.String(): st.sampled_from(["", "NaN", "null", "inf", "a"]),
}


def keys(column: pl.Series, number: int) -> list[Any]:
    names = [f"k{n}" for n in range(number)]
    frame = pl.DataFrame(
        [column.alias(name) for name in names] + [pl.Series("v", [b""] * len(column), pl.Binary)]
    )
    options = WriteOptions(Schema(dict(frame.schema), key=tuple(names)))
    headers = [*names]
    found = to_messages(Raw(), options, None, None, headers)(frame).keys
    assert found is not None
    return list(found)


@settings(max_examples=60)
@given(st.data())
def test_values_that_differ_have_keys_that_differ(data: st.DataObject) -> None:
    dtype = data.draw(st.sampled_from(list(KINDS)))
    values = data.draw(st.lists(st.none() | KINDS[dtype], max_size=6))
    physical = pl.Int64 if dtype.is_temporal() else dtype
    column = pl.Series("k", values, physical).cast(dtype)
    texts = [repr(value) for value in column.to_physical().to_list()]
    for number in (1, 2):
        assert len(set(keys(column, number))) == len(set(texts))
    assert len({str(row) for row in headers_of(column.to_frame(), ["k"])}) == len(set(texts))


def test_forms() -> None:
    times = pl.Series("k", [dt.time(1, 2, 3, 4), dt.time(1, 2, 3)])
    assert keys(times, 1) == ["01:02:03.000004", "01:02:03"]
    assert keys(pl.Series("k", [1500]).cast(pl.Duration("us")), 1) == ["PT0.0015S"]
    assert keys(pl.Series("k", [float("nan"), None, float("inf")]), 2) == [
        b'["NaN","NaN"]', b"[null,null]", b'["inf","inf"]'
    ]  # fmt: skip
    assert keys(pl.Series("k", [10**9, 1]).cast(pl.Datetime("ns")), 2) == [
        b'["1970-01-01T00:00:01","1970-01-01T00:00:01"]',
        b'["1970-01-01 00:00:00.000000001","1970-01-01 00:00:00.000000001"]',
    ]


@pytest.mark.parametrize("number", [1, 2])
def test_a_time_without_text_is_named(number: int) -> None:
    with pytest.raises(DataError, match="column 'k0': 4611686018427387904 cannot be written"):
        keys(pl.Series("k", [2**62]).cast(pl.Datetime("ms")), number)


def test_nanoseconds_within_a_key_are_refused() -> None:
    schema = Schema({"k": pl.Struct({"at": pl.Datetime("ns")})}, key=("k",))
    with pytest.raises(ConfigurationError, match="key 'k' holds nanoseconds"):
        to_messages(Json(), WriteOptions(schema), None, None)
