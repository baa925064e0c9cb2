"""Every type, extreme values: what is written is read back, and other code reads the same."""

from __future__ import annotations

import base64
import csv
import io
import json
from datetime import UTC, date, datetime, time, timedelta
from decimal import Decimal
from typing import Any

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from polars.testing import assert_frame_equal

from raystream.data.schema import Schema
from raystream.expressions import iso
from raystream.formats import iso8601, text_types
from raystream.formats.csv import Csv
from raystream.formats.json import Json

TEXT = st.text(st.characters(exclude_categories=("Cs",)), max_size=8)
MONEY = st.integers(-(10**18) + 1, 10**18 - 1).map(lambda cents: Decimal(cents).scaleb(-2))
LONG = st.integers(-(10**38) + 1, 10**38 - 1).map(lambda n: Decimal(f"{n}E-20"))
SPAN = st.integers(-(2**63) + 1, 2**63 - 1)

FLAT: dict[str, tuple[Any, st.SearchStrategy[Any]]] = {
    "int": ("int", st.integers(-(2**63), 2**63 - 1)),
    "byte": (pl.Int8(), st.integers(-128, 127)),
    "big": (pl.UInt64(), st.integers(0, 2**64 - 1)),
    "float": ("float", st.floats(allow_nan=False, allow_infinity=False)),
    "single": (pl.Float32(), st.floats(allow_nan=False, allow_infinity=False, width=32)),
    "text": ("string", TEXT),
    "bool": ("bool", st.booleans()),
    "bytes": ("binary", st.binary(max_size=8)),
    "money": ("decimal(18,2)", MONEY),
    "long": ("decimal(38,20)", LONG),
    "date": ("date", st.dates()),
    "time": ("time", st.times()),
    "datetime": ("datetime", st.datetimes()),
    "timestamp": ("timestamp", st.datetimes(timezones=st.just(UTC))),
    "ns": (pl.Datetime("ns"), st.integers(-(2**63) + 1, 2**63 - 1)),
    "duration": ("duration", SPAN),
}
NESTED = {
    "days": (pl.List(pl.Date()), st.lists(st.none() | st.dates(), max_size=3)),
    "item": (
        pl.Struct({"price": pl.Decimal(18, 2), "at": pl.Datetime("us"), "raw": pl.Binary()}),
        st.fixed_dictionaries(
            {"price": st.none() | MONEY, "at": st.none() | st.datetimes(), "raw": st.binary()}
        ),
    ),
}


def frame_of(kinds: dict[str, Any], rows: list[dict[str, Any]]) -> pl.DataFrame:
    schema = Schema.of({name: kind for name, (kind, _) in kinds.items()})
    columns = []
    for name, dtype in schema.columns.items():
        values = [row[name] for row in rows]
        counted = isinstance(dtype, pl.Duration) or dtype == pl.Datetime("ns")
        column = pl.Series(name, values, pl.Int64() if counted else dtype)
        columns.append(column.cast(dtype))
    return pl.DataFrame(columns)


def rows_of(kinds: dict[str, Any]) -> st.SearchStrategy[list[dict[str, Any]]]:
    values = {name: st.none() | strategy for name, (_, strategy) in kinds.items()}
    return st.lists(st.fixed_dictionaries(values), max_size=5)


@settings(max_examples=25)
@given(rows_of({**FLAT, **NESTED}))
def test_json(rows: list[dict[str, Any]]) -> None:
    frame = frame_of({**FLAT, **NESTED}, rows)
    schema = Schema.of_frame(frame.schema)
    payloads = Json().encoder(schema).encode(frame)
    decoded = Json().decoder(schema).decode(payloads)
    assert decoded.rejected == ()
    assert_frame_equal(decoded.frame, frame)
    for payload, row in zip(payloads, rows, strict=True):
        _read_by_others(json.loads(payload), row)


def _read_by_others(found: dict[str, Any], row: dict[str, Any]) -> None:
    for name in ("int", "byte", "big", "float", "text", "bool"):
        assert found[name] == row[name]
    readers = {
        "money": Decimal,
        "long": Decimal,
        "date": date.fromisoformat,
        "time": time.fromisoformat,
        "datetime": datetime.fromisoformat,
        "timestamp": datetime.fromisoformat,
        "bytes": base64.b64decode,
    }
    for name, read in readers.items():
        assert (None if found[name] is None else read(found[name])) == row[name], name
    if row["duration"] is not None:
        seconds = found["duration"].replace("PT", "").removesuffix("S")
        assert Decimal(seconds) * 10**6 == row["duration"]


@settings(max_examples=25)
@given(rows_of(FLAT))
def test_csv(rows: list[dict[str, Any]]) -> None:
    frame = frame_of(FLAT, rows)
    schema = Schema.of_frame(frame.schema)
    lines = Csv().encoder(schema).encode(frame)
    decoded = Csv().decoder(schema).decode(lines)
    assert decoded.rejected == ()
    assert_frame_equal(decoded.frame, frame)
    for line, row in zip(lines, rows, strict=True):
        [fields] = csv.reader(io.StringIO(line.decode(), newline=""), strict=True)
        found = dict(zip(frame.columns, fields, strict=True))
        assert found["text"] == (row["text"] or "")
        for name in ("money", "long"):
            assert (Decimal(found[name]) if found[name] else None) == row[name]


@pytest.mark.parametrize("unit", ["s", "ms", "us", "ns"])
def test_datetimes_as_numbers(unit: str) -> None:
    schema = Schema.of({"at": "timestamp", "local": pl.Datetime("ms")})
    there = datetime(2024, 3, 1, 10, tzinfo=UTC)
    columns = {"at": [there], "local": [there.replace(tzinfo=None)]}
    frame = pl.DataFrame(columns, schema=schema.polars())
    form = Json(timestamps=unit)
    [payload] = form.encoder(schema).encode(frame)
    scale = {"s": 1, "ms": 10**3, "us": 10**6, "ns": 10**9}[unit]
    assert json.loads(payload) == dict.fromkeys(("at", "local"), int(there.timestamp()) * scale)
    assert_frame_equal(form.decoder(schema).decode([payload]).frame, frame)


NAMES = ['a"b', "a\\b", "\x01", "\n", "", "\u2028", "class", "é", "*", "^a.*$", "__deleted", "😀"]


def test_fields_of_any_name_pass_through() -> None:
    schema = Schema.of(dict.fromkeys(NAMES, "int"))
    given_row = {name: number for number, name in enumerate(NAMES)}
    for ascii_ in (True, False):
        payload = json.dumps(given_row, ensure_ascii=ascii_).encode()
        frame = Json().decoder(schema).decode([payload]).frame
        assert frame.row(0, named=True) == given_row
        [written] = Json().encoder(schema).encode(frame)
        assert json.loads(written) == given_row
    learnt = Json().infer([payload])
    assert learnt is not None
    assert learnt.names() == NAMES


@given(st.dictionaries(TEXT, st.integers(-9, 9), min_size=1, max_size=5))
def test_fields_of_generated_names_pass_through(row: dict[str, int]) -> None:
    schema = Schema.of(dict.fromkeys(row, "int"))
    frame = Json().decoder(schema).decode([json.dumps(row).encode()]).frame
    [written] = Json().encoder(schema).encode(frame)
    assert json.loads(written) == row


def test_the_last_of_two_fields_of_one_name_counts() -> None:
    frame = Json().decoder(Schema.of({"a": "int"})).decode([b'{"a":1,"a":2}']).frame
    assert frame.rows() == [(2,)]


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("0.1", Decimal("0.10")), ('"0.1"', Decimal("0.10")), ("1e3", Decimal(1000)),
        ("1234567890123456.78", Decimal("1234567890123456.78")), ("5", Decimal(5)),
        ("1.500", Decimal("1.5")), ("null", None),
    ],
)  # fmt: skip
def test_decimals_pass_through_no_float(text: str, value: Decimal | None) -> None:
    decoded = Json().decoder(Schema.of({"n": "decimal(18,2)"})).decode([f'{{"n":{text}}}'.encode()])
    assert decoded.frame.rows() == [(value,)]


REFUSED = {
    "decimal(18,2)": ["0.001", "1e17", '"NaN"', '"x"', "true", "1e999999999", "[]"],
    "int": ["1.0", "1e3", "9223372036854775808", "NaN", '"1"', "true", "-9223372036854775809"],
    "float": ["NaN", "Infinity", "1e400", '"1"', "true"],
    "date": ['"2024-02-30"', '"2024-1-1"', "5", '"x"'],
    "datetime": ['"2024-01-01"', '"2024-01-01T25:00:00"', '"2024-01-01T00:00:00.0000001"', "5"],
    "time": ['"24:00:00"', '"1:2"', "5"],
    "duration": ['"P"', '"PT"', '"P1M"', '"PT9223372036855S"', "5"],
    "binary": ['"!"', '"A"', "5"],
}


@pytest.mark.parametrize("kind", REFUSED)
def test_what_is_no_value_of_the_type_is_refused_alone(kind: str) -> None:
    payloads = [b'{"n":null}', *(f'{{"n":{text}}}'.encode() for text in REFUSED[kind]), b"{}"]
    decoded = Json().decoder(Schema.of({"n": kind})).decode(payloads)
    assert [row.index for row in decoded.rejected] == list(range(1, len(payloads) - 1))
    assert decoded.frame.rows() == [(None,), (None,)]


@pytest.mark.parametrize("kind", [kind for kind in REFUSED if kind != "decimal(18,2)"])
def test_ns_and_narrow_types_do_not_wrap(kind: str) -> None:
    narrow = Schema.of({"a": pl.Int8(), "at": pl.Datetime("ns"), "x": pl.Float32()})
    rows = [b'{"a":128}', b'{"at":"0001-01-01T00:00:00"}', b'{"x":1e300}', b'{"a":1}']
    assert [row.index for row in Json().decoder(narrow).decode(rows).rejected] == [0, 1, 2]
    lines = [b"128,,", b",0001-01-01T00:00:00,", b",,1e300", b"1,,"]
    assert [row.index for row in Csv().decoder(narrow).decode(lines).rejected] == [0, 1, 2]


def test_span_of_a_day() -> None:
    frame = pl.DataFrame({"d": [timedelta(days=-1)]}, schema={"d": pl.Duration("us")})
    schema = Schema.of({"d": "duration"})
    assert Json().encoder(schema).encode(frame) == [b'{"d":"-PT86400S"}']


@pytest.mark.parametrize(
    "text",
    [
        "2024-01-01T00:00:00+99:99",
        "2024-01-01T10:00+24",
        "2024-01-01T10:00:00+01:60",
        "2024-01-01T10:00:60",
        "2024-01-01T10:00:00+\u0660\u0662",
        "\u0662024-01-01T10:00:00",
    ],
)
def test_times_that_no_clock_shows_are_none_wherever_they_are_read(text: str) -> None:
    column = pl.Series("v", [text])
    read = text_types.applied(lambda v: text_types.read(v, pl.Datetime("us", "UTC")), column)
    cast = text_types.applied(lambda v: iso.parsed(v, "timestamp"), column)
    assert (read[0], cast[0], iso8601.epoch_ms(column, "UTC")[0]) == (None, None, None)


NASTY = st.text(st.sampled_from('\ufeff"\r\n,; \tax\\\x00\u2028'), max_size=4)


@settings(max_examples=150)
@given(st.lists(st.tuples(NASTY | st.none(), st.integers(0, 9)), min_size=1, max_size=5), st.data())
def test_where_lines_are_cut_into_batches_changes_nothing(
    rows: list[tuple[str | None, int]], data: st.DataObject
) -> None:
    schema = Schema.of({"s": "string", "n": "int"})
    frame = pl.DataFrame(rows, schema=schema.polars(), orient="row")
    form = Csv(columns=("s", "n"))
    lines = form.encoder(schema).encode(frame)
    cut = data.draw(st.integers(0, len(lines)))
    parts = [form.decoder(schema).decode(part) for part in (lines[:cut], lines[cut:]) if part]
    assert_frame_equal(pl.concat([part.frame for part in parts]), frame)
    assert not any(line.startswith("\ufeff".encode()) for line in lines)
