"""A number of JSON is the number that was written, or its record is refused."""

from __future__ import annotations

import json
from decimal import Decimal
from typing import Any

import polars as pl
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from raystream.data.schema import Schema
from raystream.formats.csv import Csv
from raystream.formats.json import Json

BIG = 2**53 + 1


def decoded(kind: Any, *texts: str) -> tuple[list[Any], list[str]]:
    decoder = Json().decoder(Schema.of({"v": kind}))
    found = decoder.decode(
        [f'{{"more": "\\ud83d\\ude00 _", "v": {text}}}'.encode() for text in texts]
    )
    return found.frame["v"].to_list(), [each.reason for each in found.rejected]


@given(st.lists(st.integers(-(2**70), 2**70) | st.integers(2**53 - 3, 2**53 + 3), max_size=5))
@example([BIG, 1, -BIG])
def test_an_integer_in_a_float_column_is_exactly_it(numbers: list[int]) -> None:
    exact = [n for n in numbers if int(float(n)) == n]
    assert decoded("float", *map(str, numbers))[0] == exact
    lines = Csv().decoder(Schema.of({"v": "float"})).decode([str(n).encode() for n in numbers])
    assert lines.frame["v"].to_list() == exact
    assert len(lines.rejected) == len(numbers) - len(exact)


def test_it_is_told_and_costs_the_others_nothing() -> None:
    values, reasons = decoded("float", "1", str(BIG), "9007199254740993.0", "1e300", "null")
    assert values == [1.0, 9007199254740992.0, 1e300, None]
    assert reasons == [f"column 'v': {BIG} is not Float64"]


@pytest.mark.parametrize(
    ("kind", "value"),
    [
        (list[float], [1, BIG]),
        (pl.Struct({"x": pl.List(pl.Float64)}), {"x": [BIG]}),
        (pl.Float32(), 2**24 + 1),
        (list[Decimal], ["1", "1_0"]),
    ],
)
def test_within_lists_and_objects(kind: Any, value: Any) -> None:
    values, reasons = decoded(kind, json.dumps(value))
    assert values == []
    assert len(reasons) == 1


@pytest.mark.parametrize("text", ["1_0", " 1", "1 ", "\t1", "\u0661", "\uff11", "1\u00a0", ""])
def test_a_decimal_is_its_digits_and_nothing_but(text: str) -> None:
    values, reasons = decoded("decimal(18,2)", '"1.50"', json.dumps(text), '"-.5"', "7")
    assert values == [Decimal("1.50"), Decimal("-0.50"), Decimal(7)]
    assert len(reasons) == 1
    raw = decoded("decimal(18,2)", json.dumps(text, ensure_ascii=False))[1]
    assert len(raw) == 1


def test_what_is_looked_at_again_may_be_odd_elsewhere() -> None:
    """Fields that nobody needs are skipped as they are, whatever they hold."""
    decoder = Json().decoder(Schema.of({"x": "float", "d": "decimal(9,2)"}))
    odd = [b'"\xff"', b"1e999", b"9" * 5000, b'{"a": "\xff"}', b"[" * 50 + b"]" * 50]
    payloads = [b'{"z": %s, "x": 1e17, "d": "1.5"}' % each for each in odd]
    found = decoder.decode([*payloads, b'{"\xff_": 1, "x": 1, "d": 2}'])
    assert found.rejected == ()
    assert found.frame["x"].to_list() == [1e17] * 5 + [1.0]


def test_a_byte_order_mark_is_told() -> None:
    found = Json().decoder(Schema.of({"n": "int"})).decode([b'\xef\xbb\xbf{"n": 1}', b'{"n": 2}'])
    assert [each.reason for each in found.rejected] == [
        "not JSON: a byte order mark in front of it"
    ]
