from __future__ import annotations

import json
from typing import Any

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st
from polars.testing import assert_frame_equal

from raystream.data.schema import Schema
from raystream.errors import ConfigurationError
from raystream.formats.json import Json

SCHEMA = Schema.of(
    {"ts": "int not null", "ip": "string", "x": "float", "ok": "bool", "l": list[int]}
)
INT64 = st.integers(-(2**63), 2**63 - 1)
TEXT = st.text(st.characters(exclude_categories=("Cs",)))
FINITE = st.floats(allow_nan=False, allow_infinity=False)
ROW = st.fixed_dictionaries(
    {"ts": INT64},
    optional={
        "ip": st.none() | TEXT,
        "x": st.none() | FINITE,
        "ok": st.none() | st.booleans(),
        "l": st.none() | st.lists(st.none() | INT64),
        "not asked for": st.none() | TEXT | FINITE,
    },
)
GOOD = ROW.map(lambda row: (json.dumps(row).encode(), row))
BAD = st.sampled_from(
    [None, b"", b"{", b"[]", b"3", b"null", b"{}", b'{"ts":null}', b'{"ts":"1"}', b'{"ts":1.5}',
     b'{"ts":9223372036854775808}', b'{"ts":1,"ip":4}', b'{"ts":1}}', b'{"ts":1,"ip":"\xff"}',
     b'{"ts":1,"l":[9223372036854775808]}', b'{"ts":true}', b'{"ts":1,"ok":0}']
).map(lambda payload: (payload, None))  # fmt: skip


@given(st.lists(GOOD | BAD, max_size=30))
def test_decode_gives_what_the_json_module_gives_and_names_the_others(samples: list) -> None:
    decoded = Json().decoder(SCHEMA).decode([payload for payload, _ in samples])
    expected = [{n: row.get(n) for n in SCHEMA.columns} for _, row in samples if row is not None]
    assert decoded.frame.to_dicts() == expected
    assert dict(decoded.frame.schema) == dict(SCHEMA.columns)
    bad = [index for index, (_, row) in enumerate(samples) if row is None]
    assert [reject.index for reject in decoded.rejected] == bad


@pytest.mark.parametrize(
    ("payload", "reason"),
    [
        (None, "record without a value"),
        (b"{", "not JSON: Input data was truncated"),
        (b"x", "not JSON: invalid character (byte 0)"),
        (b'{"ts":"x"}', "Expected `int`, got `str` - at `ts`"),
        (b"{}", "Object missing required field `ts`"),
        (b'{"ts":9223372036854775808}', "column 'ts': 9223372036854775808 is not Int64"),
    ],
)
def test_reasons(payload: bytes | None, reason: str) -> None:
    [rejected] = Json().decoder(SCHEMA).decode([payload]).rejected
    assert rejected.reason == reason


ENCODED = st.lists(
    st.fixed_dictionaries(
        {
            "s": st.none() | TEXT,
            "i": st.none() | INT64,
            "x": st.none() | st.floats(),
            "b": st.none() | st.booleans(),
            "l": st.none() | st.lists(st.none() | TEXT),
            'strange "name"\n': st.none() | st.integers(0, 9),
        }
    ),
    max_size=10,
)
OUT = Schema.of(
    {"s": str, "i": int, "x": float, "b": bool, "l": list[str], 'strange "name"\n': int}
)


def _finite(value: Any) -> Any:
    return None if isinstance(value, float) and value - value != 0 else value


@given(ENCODED)
def test_encode_is_read_back_by_the_json_module_in_column_order(rows: list[dict]) -> None:
    payloads = Json().encoder(OUT).encode(pl.DataFrame(rows, schema=OUT.polars()))
    expected = [[(name, _finite(row[name])) for name in OUT.columns] for row in rows]
    assert [list(json.loads(payload).items()) for payload in payloads] == expected


def test_encode_and_decode_are_inverse_with_nested_columns() -> None:
    schema = Schema.of(
        {"p": pl.Struct({"city": pl.String(), "n": pl.List(pl.Int64())}), "u": "int"}
    )
    rows = [{"p": {"city": "Köln", "n": [1, None]}, "u": 1}, {"p": None, "u": None}]
    frame = pl.DataFrame(rows, schema=schema.polars())
    payloads = Json().encoder(schema).encode(frame)
    assert payloads[0] == '{"p":{"city":"Köln","n":[1,null]},"u":1}'.encode()
    assert_frame_equal(Json().decoder(schema).decode(payloads).frame, frame)
    assert Json().decoder(schema).decode([b'{"p":{"n":[]}}']).frame.row(0) == (
        {"city": None, "n": []},
        None,
    )


def test_no_columns() -> None:
    nothing = Schema({})
    assert Json().decoder(nothing).decode([b"{}", b"x"]).frame.height == 1
    assert Json().encoder(nothing).encode(pl.DataFrame(height=2)) == [b"{}", b"{}"]


def test_columns_without_a_form_are_refused_when_planned() -> None:
    with pytest.raises(ConfigurationError, match="column 'v': JSON has no Object; cast it"):
        Json().encoder(Schema({"v": pl.Object()}))


def test_inference() -> None:
    learnt = Json().infer([None, b"x", b"[]", b'{"ts":1,"x":1}', b'{"ts":2,"x":1.5,"s":"a"}'])
    assert learnt == Schema.of({"ts": "int", "x": "float", "s": "string"})
    assert Json().infer([b"x"]) is None


def test_times_as_text() -> None:
    schema = Schema.of({"ts": "timestamp_ms", "n": "int"})
    iso = Json({"ts": "iso8601"})
    payloads = [
        b'{"ts":"2024-01-01T01:00:00.5+01:00","n":1}',
        b'{"ts":"soon"}',
        b'{"ts":null}',
        b"x",
    ]
    decoded = iso.decoder(schema).decode(payloads)
    assert decoded.frame.rows() == [(1704067200500, 1), (None, None)]
    assert [(r.index, r.reason[:18]) for r in decoded.rejected] == [
        (1, "column 'ts': 'soon"),
        (3, "not JSON: invalid "),
    ]
    assert (
        iso.encoder(schema).encode(decoded.frame)[0] == b'{"ts":"2024-01-01T00:00:00.500Z","n":1}'
    )
    day = Json({"ts": "%Y-%m-%d %H:%M:%S"})
    assert day.decoder(schema).decode([b'{"ts":"2024-01-01 00:00:01"}']).frame["ts"][0] == (
        1704067201000
    )
    learnt = iso.infer(payloads)
    assert learnt is not None
    assert learnt.columns["ts"] == pl.Int64()
