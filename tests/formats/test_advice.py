"""A value that its learnt column does not take: the advice is what to declare."""

from __future__ import annotations

import pytest

from raystream.data.schema import Schema
from raystream.formats.advice import declaration
from raystream.formats.csv import Csv
from raystream.formats.json import Json


@pytest.mark.parametrize(
    ("learnt", "later", "advice"),
    [
        (b'{"price":7}', b'{"price":10.5}', "price: float"),
        (b'{"price":7}', b'{"price":"7"}', None),
        (b'{"price":7}', b'{"price":{"eur":7}}', "price: its fields, as a class"),
        (b'{"price":null}', b'{"price":{"eur":7}}', "price: its fields, as a class"),
        (b'{"price":7}', b'{"price":9223372036854775808}', "price: decimal(38,0)"),
        (b'{"price":7}', b'{"price":true}', None),
        (b'{"price":7}', b"{", None),
    ],
)
def test_json(learnt: bytes, later: bytes, advice: str | None) -> None:
    schema = Json().infer([learnt] * 1200)
    assert schema is not None
    [rejected] = Json().decoder(schema).decode([later]).rejected
    assert declaration(rejected.reason) == advice
    if advice is not None and "class" not in advice:
        name, word = advice.split(": ")
        decoded = Json().decoder(Schema.of({name: word})).decode([learnt, later])
        assert decoded.rejected == ()


def test_csv() -> None:
    decoder = Csv().decoder(Schema.of({"price": "int"}))
    found = decoder.decode([b"10.5", b"x", b"9223372036854775808"]).rejected
    assert [declaration(row.reason) for row in found] == [
        "price: float", "price: string", "price: float"
    ]  # fmt: skip
