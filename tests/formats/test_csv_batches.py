"""A record of CSV is the same value in whatever batch it comes, and written the same either way."""

from __future__ import annotations

import polars as pl
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from raystream.data.schema import Schema
from raystream.formats.csv import Csv
from raystream.formats.csv_encoder import CsvEncoder

SCHEMA = Schema.of({"n": "int", "x": "float", "s": "string", "b": "bool"})
FIELDS = st.sampled_from(
    ["", '""', "1", " 2", "\t3", '"4"', '" 5"', "+6", "-0", "1_0", "1e400", "-inf", "nan", "0x1"]
    + ["99999999999999999999", "true", "FALSE", '"a,b"', '"a""b"', '"a\nb"', 'a"b', '"', "é", "\r"]
    + [
        "\ufeff1",
        "\ufeff",
        "\x00",
        " ",
        "  ",
        "#",
        "1.5",
        "1.",
        ".5",
        "1e5",
        "x",
        "true ",
        "\u00a01",
    ]
)
LINES = st.lists(FIELDS, min_size=1, max_size=5).map(lambda fields: ",".join(fields).encode())
PAYLOADS = st.lists(LINES | st.sampled_from([b"", b"\xff,,,", b"1,2,3,4\n"]), max_size=6)


@settings(max_examples=20)
@given(PAYLOADS)
@example([b"\xef\xbb\xbf1,2,a,true", b"2,3,b,false"])
@example([b" 1,2,a,true", b"2,3,b"])
@example([b"1,2,a,true,", b"2,3,b"])
@example([b'1,2,"a,true', b'2,3,b",false'])
@example([b"1,1e400,a,true"])
@example([b"", b", ,,"])
@example([b"1,2,3,4\n", b"\r"])
def test_a_record_has_the_same_fate_in_every_batch(payloads: list[bytes]) -> None:
    decoder = Csv().decoder(SCHEMA)
    together = decoder.decode(payloads)
    alone = [decoder.decode([payload]) for payload in payloads]
    assert repr(together.frame.rows()) == repr([r for each in alone for r in each.frame.rows()])
    refused = [(n, r.reason) for n, each in enumerate(alone) for r in each.rejected]
    assert [(each.index, each.reason) for each in together.rejected] == refused


@pytest.mark.parametrize("text", ["1e400", "-1e999", "9" * 400])
def test_a_number_beyond_floats_is_none(text: str) -> None:
    decoder = Csv().decoder(Schema.of({"x": "float"}))
    (row,) = decoder.decode([text.encode(), b"inf", b"NaN"]).rejected
    assert row.index == 0
    assert "is not Float64" in row.reason


TEXT = st.text(st.sampled_from(list('a,;"\n\r é')), max_size=4)


@settings(max_examples=30)
@given(
    st.lists(
        st.tuples(st.none() | TEXT, st.none() | st.floats(), st.none() | st.booleans()), max_size=6
    ),
    st.sampled_from([",", ";"]),
)
def test_lines_are_the_same_written_at_once_or_by_columns(rows: list, delimiter: str) -> None:
    schema = Schema.of({"s": "string", "x": "float", "b": "bool"})
    frame = pl.DataFrame(rows, schema=schema.polars(), orient="row")
    encoder = CsvEncoder(schema, delimiter)
    assert encoder.encode(frame) == encoder._by_columns(frame)
    decoded = Csv(delimiter=delimiter).decoder(schema).decode(encoder.encode(frame))
    assert repr(decoded.frame.rows()) == repr(frame.rows())
