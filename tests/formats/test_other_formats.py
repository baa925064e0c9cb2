from __future__ import annotations

from types import SimpleNamespace

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st
from polars.testing import assert_frame_equal

from raystream.data.schema import Schema
from raystream.errors import ConfigurationError
from raystream.formats.csv import Csv
from raystream.formats.json import Json
from raystream.formats.named import format_by_name
from raystream.formats.raw import Raw
from raystream.formats.rejects import DEAD_LETTER_SCHEMA, dead_letters

LINE = Schema.of({"n": "int not null", "s": "string", "x": "float"})
TEXT = st.text(st.characters(exclude_categories=("Cs",), exclude_characters="\x00\r"), max_size=5)


def test_raw_passes_bytes_through() -> None:
    decoded = Raw().decoder(Schema.of({"value": "binary"})).decode([b"\xff", None, b""])
    assert decoded.frame["value"].to_list() == [b"\xff", b""]
    assert [reject.index for reject in decoded.rejected] == [1]
    assert Raw().encoder(Schema.of({"value": "binary"})).encode(decoded.frame) == [b"\xff", b""]
    assert Raw().decoder(Schema({})).decode([b"a", None]).frame.height == 1


def test_raw_knows_one_column() -> None:
    with pytest.raises(ConfigurationError, match="no column 'valu'; did you mean 'value'"):
        Raw().decoder(Schema.of({"valu": "binary"}))
    with pytest.raises(ConfigurationError, match="format raw writes one column of bytes, not a, b"):
        Raw().encoder(Schema.of({"a": "int", "b": "int"}))


@given(
    st.lists(
        st.tuples(st.integers(-(2**60), 2**60), st.none() | TEXT, st.floats(-1e6, 1e6)), max_size=8
    )
)
def test_csv_rows_survive(rows: list) -> None:
    frame = pl.DataFrame(rows, schema=LINE.polars(), orient="row")
    lines = Csv().encoder(LINE).encode(frame)
    decoded = Csv().decoder(LINE).decode(lines)
    assert decoded.rejected == ()
    assert_frame_equal(decoded.frame, frame)


def test_csv_offenders_are_named_and_columns_chosen_by_position() -> None:
    format_ = Csv(columns=("s", "n", "skipped"), delimiter=";")
    decoder = format_.decoder(Schema.of({"n": "int not null"}))
    decoded = decoder.decode([b"a;1;x", b"a;one;x", None, b"a;;x", b"a;2;x"])
    assert decoded.frame["n"].to_list() == [1, 2]
    assert [reject.index for reject in decoded.rejected] == [1, 2, 3]


def test_csv_inference() -> None:
    learnt = Csv(("a", "b", "c")).infer([b"1,x,2.5", b"1,2,3,4", b"\xff", None, b"", b"2,,3"])
    assert learnt == Schema.of({"a": int, "b": str, "c": float})
    assert Csv(("a",)).infer([b"1"]) == Schema.of({"a": int})
    assert Csv(("a",)).infer([b""]) is None


@pytest.mark.parametrize(
    ("texts", "kind"),
    [
        (["007", "1"], "string"),
        (["0", "-0", "10"], "int"),
        (["1", "1.5"], "float"),
        (["00.5"], "string"),
        (["true", "FALSE"], "bool"),
        (["1", "true"], "string"),
        (["99999999999999999999"], "string"),
        (["9007199254740993", "0.5"], "string"),
        (["1e400"], "string"),
        (["", ""], "string"),
    ],
)
def test_csv_learns_no_type_that_would_change_a_value(texts: list[str], kind: str) -> None:
    learnt = Csv(("a", "b")).infer([f"{text},".encode() for text in texts])
    assert learnt == Schema.of({"a": kind, "b": "string"})


def test_records_of_csv_are_no_header() -> None:
    with pytest.raises(ConfigurationError, match="do not tell the names of their columns; declare"):
        Csv().infer([b"a,b", b"1,2"])
    with pytest.raises(ConfigurationError, match="has the column 'a' twice"):
        Csv(("a", "b", "a")).infer([b"1,2,3"])
    assert Csv(("a", "b", "a")).decoder(Schema.of({"b": int})).decode([b"1,2,3"]).frame.height == 1
    assert Csv(delimiter=";").named_by(b'"a;1";b').columns == ("a;1", "b")


def test_formats_by_name() -> None:
    assert format_by_name("json") == Json()
    assert format_by_name(Raw()) == Raw()
    with pytest.raises(ConfigurationError) as error:
        format_by_name("jsn")
    assert str(error.value) == "no format 'jsn'; did you mean 'json'? formats: json, raw, csv"


def test_dead_letter_rows() -> None:
    record = SimpleNamespace(
        key=None, value=b"x", reason="not JSON", origin="topic t, partition 0, offset 1",
        headers={"topic": "t", "offset": "1"}, timestamp=5,
    )  # fmt: skip
    frame = dead_letters([record])
    assert dict(frame.schema) == dict(DEAD_LETTER_SCHEMA.columns)
    assert frame.row(0, named=True)["headers"] == [
        {"name": "topic", "value": "t"},
        {"name": "offset", "value": "1"},
    ]
    assert dead_letters([]).height == 0
