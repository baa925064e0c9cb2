"""Keys that a sink wrote are read back as the same values."""

from __future__ import annotations

import datetime as dt
from decimal import Decimal
from typing import Any

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from raystream.connectors.base import ReadOptions, WriteOptions
from raystream.connectors.kafka.outgoing import to_messages
from raystream.connectors.kafka.record_keys import KeyDecoder
from raystream.connectors.kafka.upserts import UpsertDecoder
from raystream.data.changes import CHANGE, ReadChanges
from raystream.data.schema import Schema
from raystream.formats.json import Json

VALUES: dict[Any, st.SearchStrategy[Any]] = {
    pl.String(): st.text(max_size=5),
    pl.Int64(): st.integers(-(2**63), 2**63 - 1),
    pl.UInt8(): st.integers(0, 255),
    pl.Boolean(): st.booleans(),
    pl.Float64(): st.floats(allow_nan=False, allow_infinity=False),
    pl.Date(): st.dates(dt.date(1900, 1, 1)),
    pl.Datetime("us"): st.datetimes(),
    pl.Decimal(12, 2): st.decimals(-(10**9), 10**9, places=2, allow_nan=False),
    pl.Binary(): st.binary(max_size=4),
}
SEVERAL = [kind for kind in VALUES if kind != pl.Binary()]


def written(rows: list[tuple[Any, ...]], types: dict[str, pl.DataType]) -> list[Any]:
    schema = Schema({**types, "n": pl.Int64()}).with_key(tuple(types))
    frame = pl.DataFrame([(*row, 1) for row in rows], schema=schema.polars(), orient="row")
    keys = to_messages(Json(), WriteOptions(schema), None, None)(frame).keys
    assert keys is not None
    return [key.encode() if isinstance(key, str) else key for key in keys]


@settings(max_examples=30)
@given(st.data())
def test_a_key_column_is_read_back(data: st.DataObject) -> None:
    dtype = data.draw(st.sampled_from(list(VALUES)))
    if dtype == pl.Binary():
        rows = [(value,) for value in data.draw(st.lists(VALUES[dtype], min_size=1))]
        types: dict[str, pl.DataType] = {"k": dtype}
    else:
        kinds = [dtype, *data.draw(st.lists(st.sampled_from(SEVERAL), max_size=2))]
        types = {f"k{at}": kind for at, kind in enumerate(kinds)}
        rows = data.draw(
            st.lists(st.tuples(*(VALUES[kind] for kind in kinds)), min_size=1, max_size=4)
        )
    found = KeyDecoder(Schema(types)).decode(written(rows, types))
    assert found.rejected == ()
    assert found.frame.equals(pl.DataFrame(rows, schema=types, orient="row"))


@pytest.mark.parametrize(
    ("form", "key", "value"),
    [
        ("json", b'{"id": 7}', 7),
        ("json", b'{"schema": {"type": "struct"}, "payload": {"id": 7}}', 7),
        ("json", b"7", 7),
        ("int64", (7).to_bytes(8, "big"), 7),
        ("int32", (-7).to_bytes(4, "big", signed=True), -7),
        ("text", b"7", 7),
    ],
)
def test_keys_of_other_producers(form: str, key: bytes, value: int) -> None:
    keys = KeyDecoder(Schema({"id": pl.Int64()}), form)
    found = keys.decode([key, None, b"x"])
    assert found.frame.rows() == [(value,)]
    assert [row.index for row in found.rejected] == [1, 2]
    assert found.rejected[0].reason == "record without a key: it tells no row of the table"
    assert "b'x'" in found.rejected[1].reason or "key" in found.rejected[1].reason


def test_what_fits_of_keys_and_values_is_kept_in_order() -> None:
    schema = Schema.of({"a": "int not null", "id": "int", "b": "decimal(4,1)"})
    options = ReadOptions(schema, changes=ReadChanges.UPSERT, key=("id",))
    keys = [b"1", b"x", b"3", b"4", b"5", None]
    values = [b'{"a": 1, "id": 99}', b'{"a": 2}', None, b'{"b": 4}', b'{"a": 5, "b": 1.5}', None]
    found = UpsertDecoder(Json(), "text", options).decode(keys, values)
    assert [row.index for row in found.rejected] == [1, 3, 5]
    rows = found.frame.select("a", "id", "b", CHANGE).rows()
    assert rows == [(1, 1, None, 2), (None, 3, None, 3), (5, 5, Decimal("1.5"), 2)]
    only = ReadOptions(Schema.of({"id": "int"}), changes=ReadChanges.UPSERT, key=("id",))
    assert UpsertDecoder(Json(), "text", only).decode(keys, values).frame["id"].to_list() == [
        1,
        3,
        4,
        5,
    ]
