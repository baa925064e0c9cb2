"""The native JSON decoder: the same answers as Python's, for all that may be in a payload."""

from __future__ import annotations

import os

import polars as pl
import pytest

from raystream.data.schema import Schema
from raystream.formats.json import Json
from raystream.formats.native_json import SHORTEST, obstacle
from tests.native.differential import Differential
from tests.native.payloads import CORPUS, SCHEMAS, Payloads


@pytest.mark.parametrize("name", SCHEMAS)
def test_each_record_of_the_corpus_is_read_alike(name):
    both = Differential(SCHEMAS[name])
    both.check([*CORPUS, None])
    both.check(CORPUS[::-1])
    assert both.tally.taken > 30


@pytest.mark.parametrize("name", SCHEMAS)
def test_random_records_are_read_alike(name):
    seed = int(os.environ.get("RAYSTREAM_FUZZ_SEED", "11"))
    print(f"seed {seed}")
    both, payloads = Differential(SCHEMAS[name]), Payloads(seed)
    for size in (1, 2, 3, 7, 8, 9, 63, 64, 65, *[200] * 3):
        both.check(payloads.batch(size))
    assert both.tally.taken > 20


def test_nothing_at_all_is_read_alike():
    for schema in SCHEMAS.values():
        Differential(schema).check([])


def test_usual_records_are_not_handed_back():
    both = Differential(SCHEMAS["scalars"])
    both.check([b'{"ts":%d,"ip":"10.0.0.%d","x":%d.25,"ok":true}' % (n, n, n) for n in range(500)])
    both.check(['{"ts": 1, "ip": "Köln\\n", "x": null, "more": [1, {"a": "b"}]}'.encode()] * 100)
    assert (both.tally.taken, both.tally.back_taken, both.tally.back_refused) == (600, 0, 0)


def test_while_most_are_handed_back_python_decodes_alone_and_native_is_tried_again():
    decoder = Json().decoder(SCHEMAS["scalars"])
    assert decoder.native is not None
    odd, usual = [b'{"ts":1.0}'] * 1000, [b'{"ts":1}'] * 1000
    assert decoder.native.trust.tries()
    decoder.decode(odd)
    assert not decoder.native.trust.tries()
    rows = sum(decoder.decode(usual).frame.height for _ in range(SHORTEST // 1000))
    assert rows == SHORTEST
    assert decoder.native.trust.tries()
    decoder.decode(odd)
    for _ in range(SHORTEST // 1000):
        decoder.decode(usual)
    assert not decoder.native.trust.tries()  # twice as long


@pytest.mark.parametrize(
    ("dtype", "why"),
    [
        (pl.Decimal(9, 2), "column 'n' is Decimal(precision=9, scale=2)"),
        (pl.List(pl.Decimal(9, 2)), "column 'n' is List(Decimal(precision=9, scale=2))"),
        (pl.Struct([]), "column 'n' is Struct({})"),
        (pl.List(pl.Int64()), ""),
    ],
)
def test_types_that_python_decodes_are_told(dtype, why):
    assert obstacle(Schema({"n": dtype})) == why


def test_a_name_that_c_would_cut_is_left_to_python():
    assert obstacle(Schema({"a\0b": pl.Int64()})) == "column 'a\\x00b' is Int64"


def test_the_switch_turns_it_off(monkeypatch):
    monkeypatch.setenv("RAYSTREAM_NATIVE", "0")
    decoder = Json().decoder(SCHEMAS["scalars"])
    assert (decoder.native, decoder.not_native) == (None, "RAYSTREAM_NATIVE=0")
    assert decoder.decode([b'{"ts":1}']).frame["ts"].to_list() == [1]
