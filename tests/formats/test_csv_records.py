"""One payload is one record of CSV, and a bad one costs the others nothing."""

from __future__ import annotations

import csv
import io
import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from raystream.data.schema import Schema
from raystream.errors import ConfigurationError
from raystream.formats.base import Decoder
from raystream.formats.csv import Csv
from raystream.formats.json import Json

TWO = Schema.of({"a": "string", "n": "int"})
FIELD = st.text(st.sampled_from('a,"\n\r ;é'), max_size=4)


@pytest.mark.parametrize(
    ("payload", "reason"),
    [
        (b"a,1\nb,2", "not CSV: more than one line"),
        (b"", "not CSV: an empty record"),
        (b"\n", "not CSV: an empty record"),
        (b"a", "not CSV of this schema: 1 fields instead of 2"),
        (b"a,1,", "not CSV of this schema: 3 fields instead of 2"),
        (b"a,x", "column 'n': 'x' is not Int64"),
        (b"a,1.0", "column 'n': '1.0' is not Int64"),
        (b"a,9223372036854775808", "column 'n': '9223372036854775808' is not Int64"),
        (b'"a,1', "not CSV: a quote that is not closed"),
        (b'a"b",1', "not CSV: a quote inside a field, or behind one"),
        (b'"a"b,1', "not CSV: a quote inside a field, or behind one"),
        (b"\xff,1", "not CSV: not UTF-8"),
        (None, "record without a value"),
        (b"a,n", "column 'n': 'n' is not Int64"),
    ],
)
def test_a_bad_record_is_refused_alone(payload: bytes | None, reason: str) -> None:
    decoded = Csv().decoder(TWO).decode([b"x,1", payload, b'"y",2', b""])
    assert decoded.frame.rows() == [("x", 1), ("y", 2)]
    assert [(r.index, r.reason) for r in decoded.rejected] == [
        (1, reason),
        (3, "not CSV: an empty record"),
    ]


def test_good_records() -> None:
    payloads = [b'"a\nb",1', b'"say ""hi""",2', b',"3"', b'"",4\r\n', b"c,\n", b'"x,y",-0']
    decoded = Csv().decoder(TWO).decode(payloads)
    assert decoded.rejected == ()
    assert decoded.frame.rows() == [
        ("a\nb", 1), ('say "hi"', 2), (None, 3), ("", 4), ("c", None), ("x,y", 0)
    ]  # fmt: skip


def test_one_column_and_no_column() -> None:
    one = Csv().decoder(Schema.of({"n": "int"})).decode([b"1", b"", b"2"])
    assert one.frame["n"].to_list() == [1, None, 2]
    assert Csv(("a", "b")).decoder(Schema({})).decode([b"1,2", b"3"]).frame.height == 1


@given(st.lists(st.lists(FIELD, min_size=2, max_size=3), max_size=6), st.sampled_from(",;"))
def test_what_the_csv_module_writes_is_read(rows: list[list[str]], delimiter: str) -> None:
    payloads = []
    for row in rows:
        written = io.StringIO()
        csv.writer(written, delimiter=delimiter).writerow(row)
        payloads.append(written.getvalue().encode())
    schema = Schema.of({"a": "string", "b": "string"})
    decoded = Csv(delimiter=delimiter).decoder(schema).decode(payloads)
    fitting = [row for row in rows if len(row) == 2]
    found = [tuple(value or "" for value in row) for row in decoded.frame.rows()]
    assert found == [tuple(row) for row in fitting]


def test_a_delimiter_is_one_character() -> None:
    for delimiter in ("", "ab", '"', "\n"):
        with pytest.raises(ConfigurationError, match="the delimiter of CSV is one character"):
            Csv(delimiter=delimiter)


JSON = [b'{"a":"x","n":%d}' % n for n in range(2000)]
LINES = [b"x,%d" % n for n in range(2000)]


@pytest.mark.parametrize(
    ("decoder", "payloads", "bad"),
    [
        (Json().decoder(TWO), JSON, b"{"),
        (Json().decoder(TWO), JSON, b'{"n":9223372036854775808}'),
        (Csv().decoder(TWO), LINES, b"x,y"),
        (Csv().decoder(TWO), LINES, b"x"),
    ],
)
def test_a_bad_record_costs_no_second_look_at_each_of_the_others(
    decoder: Decoder, payloads: list[bytes], bad: bytes
) -> None:
    """It was a hundredfold; a ratio of CPU times, far from what noise can do."""
    some = [*payloads[:700], bad, *payloads[700:1500], bad, *payloads[1500:]]

    def seconds(given_payloads: list[bytes]) -> float:
        times = []
        for _ in range(5):
            start = time.process_time()
            decoded = decoder.decode(given_payloads)
            times.append(time.process_time() - start)
        assert decoded.frame.height == 2000
        return min(times)

    assert seconds(some) < 15 * seconds(payloads)


def test_a_byte_order_mark_inside_of_a_batch_is_a_character() -> None:
    lines = ["\ufeffx,1".encode(), b"y,2"]
    for batch in (lines, lines[:1], lines[::-1]):
        found = (
            Csv(columns=("s", "n")).decoder(Schema.of({"s": "string", "n": "int"})).decode(batch)
        )
        assert sorted(found.frame.get_column("s")) == sorted(
            line.decode().split(",")[0] for line in batch
        )
