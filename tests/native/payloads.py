"""Payloads that JSON decoders read differently: a corpus, and a generator of more."""

from __future__ import annotations

import json
import math
import random
import struct
from collections.abc import Callable
from typing import Any

import polars as pl

from raystream.data.schema import Schema

SCHEMAS = {
    "scalars": Schema.of({"ts": "int not null", "ip": "string", "x": "float", "ok": "bool"}),
    "narrow": Schema(
        {
            "ts": pl.Int8(),
            "ip": pl.UInt16(),
            "x": pl.Float32(),
            "ok": pl.UInt64(),
            "é": pl.Int128(),
            "un": pl.UInt32(),
        }
    ),
    "nested": Schema(
        {
            "ts": pl.List(pl.Int64()),
            "ip": pl.Struct({"a": pl.Int64(), "ip": pl.String(), "é": pl.List(pl.Float64())}),
            "x": pl.List(pl.Struct({"a": pl.Boolean(), "ts": pl.List(pl.List(pl.String()))})),
            "un": pl.List(pl.Float32()),
        },
        frozenset({"x"}),
    ),
    "texts": Schema(
        {
            "ts": pl.Datetime("us", "UTC"),
            "ip": pl.Binary(),
            "x": pl.Date(),
            "ok": pl.List(pl.Duration("ms")),
            "un": pl.Struct({"a": pl.Time(), "ts": pl.Datetime("ms")}),
        }
    ),
    "odd names": Schema({'q"': pl.String(), "": pl.Int64(), "é": pl.Float64(), "a\nb": pl.Int64()}),
    "no column": Schema({}),
}

DEEP = [b'{"ts":1,"un":' + b"[" * n + b"]" * n + b"}" for n in (50, 63, 64, 65, 200, 5000)]

CORPUS = [
    # whole numbers
    *(b'{"ts":%s}' % word for word in (
        b"-0", b"0", b"01", b"1.0", b"1e3", b"1E400", b"9223372036854775807",
        b"-9223372036854775808", b"9223372036854775808", b"-9223372036854775809",
        b"18446744073709551615", b"18446744073709551616", b"123456789012345678",
        b"1234567890123456789", b"12345678901234567", b"1234567890123456",
        b"999999999999999", b"-1234567890123456", b"00", b"-01", b"+1", b"-", b"--1", b"1_0",
        b'"1"', b"true", b"null", b"[1]", b"{}", b"0x1", b"127", b"128", b"-128", b"-129", b"1 ",
        b"1" * 40, b"1" * 400, b"1" * 5000, "１".encode(),
    )),
    # twice
    b'{"ts":1,"ts":2}', b'{"ts":1,"ts":"x"}', b'{"ts":"x","ts":1}', b'{"ts":1,"ts":null}',
    b'{"ts":1,"ip":"a","ip":null}', b'{"ts":1,"ip":null,"ip":"b"}', b'{"ts":null,"ts":1}',
    b'{"x":[{"a":true,"a":null}],"x":[{"a":false}]}', b'{"x":[],"ip":{"a":1,"a":2}}',
    b'{"x":[],"ip":{"a":1,"a":"x"}}', b'{"x":[],"ip":{"a":"x","a":1}}',
    # fractions
    *(b'{"ts":1,"x":%s}' % word for word in (
        b"1", b"-0", b"-0.0", b"0.0", b"-0e5", b"-0.0e-5", b"1e999", b"-1e999", b"1e-999",
        b"4.9e-324", b"2.4703282292062327e-324", b"2.4703282292062328e-324", b"2.2250738585072011e-308",
        b"9007199254740991", b"9007199254740992", b"9007199254740993", b"-9007199254740993",
        b"9007199254740993.0", b"9007199254740993e0", b"123456789012345678901234567890",
        b"100000000000000000000", b"1.7976931348623157e308", b"1.7976931348623159e308",
        b"16777215", b"16777216", b"16777217", b"16777217.0", b"3.4028235e38", b"3.4028236e38",
        b"3.5e38", b"1e-46", b"0.1", b"0.30000000000000004", b"NaN", b"nan", b"Infinity",
        b"-Infinity", b"inf", b'"1"', b'"NaN"', b"true", b"1.", b".5", b"1e", b"1e+", b"0.1e1",
        b"00.1", b"1.5E+10", b"1.5e-10", b"1.5e", b"0." + b"1" * 800, b"1" * 310, b"1" * 300 + b".5",
    )),
    # words
    *(b'{"ts":1,"ok":%s}' % word for word in (
        b"1", b'"true"', b"tru", b"false", b"true", b"null", b"nul", b"True", b"truefalse", b"t",
    )),
    # text
    *(b'{"ts":1,"ip":"%s"}' % text for text in (
        b"", rb"\ud83d\ude00", rb"\ud83d", rb"\ude00", rb"\ud83d\u0041", rb"\ud83d\ud83d", rb"\u0000",
        rb"\u00e9\n\t\"\\\/\b\f\r", rb"\x41", rb"\u12g4", rb"\u00", rb"\U00e9", b"\x00", b"\x1f",
        b"\x7f", b"\n", "Köln 東京 😀".encode(), b"\xff", b"\xed\xa0\x80", b"\xc0\x80",
        b"abc\xe2\x82", b"\xf4\x90\x80\x80", b"\xef\xbb\xbf", b"a" * 12, b"a" * 13, b"a" * 15,
        b"a" * 16, b"a" * 17, b"\xc3\xa9" * 6, b"\xc3\xa9" * 7, b"a" * 100_000, b"a" * 13 + rb"\n",
        b"\\\\" * 20, b"aGk=", b"aGk", b"\\",
    )),
    b'{"ts":1,"ip":4}', b'{"ts":1,"ip":null}', b"{\"ts\":1,\"ip\":'a'}", b'{"ts":1,"ip":"a" "b"}',
    # what nobody asked for
    *(b'{"ts":1,"more":%s}' % value for value in (
        b'"\xff"', rb'"\ud800"', rb'"\x"', b'"\x01"', b"1e999", b"01", b"[1,]", b"[,1]",
        b'[1,2,{"a":[]}]', b'{"a":1,}', b'{"a"}', b"{a:1}", b"nul", b"NaN", b"-", b"1.2.3", b"",
        b'{"\xff":1}', b'{"a":1 "b":2}', b"[1 2]", b"]", b"[1}", b'{"a":1]', b'"' + b"a" * 40 + b'"',
        b'{"ts":2}', b'{"a":{"a":{"a":null}}}', b"[[],[[]],{}]", b"1" * 5000, b"1e5", b"-0",
    )),
    *DEEP,
    b'{"ts":1,"un":' + b'{"a":' * 63 + b"1" + b"}" * 63 + b"}",
    # keys
    b'{"t\\u0073":1}', b'{"\\u0074s":2,"ip":"k"}', b'{"ts":1,"\xff":2}', b'{"ts":1,"":2}',
    b'{"ts":1,"ip\\u0000":2}', b'{"ts\x00":1}', b'{"TS":1}', b'{"ts ":1}', b'{"q\\"":"x","":5}',
    b'{"a\\nb":1}', b'{"\\u00e9":1.5}', '{"é":1.5}'.encode(), '{"é":1.5}'.encode(),
    b'{"' + b"k" * 300 + b'":1,"ts":2}', b'{"ts":1,"' + b"k" * 14 + b'":1}',
    b'{"ts":1,"' + b"k" * 15 + b'":1}',
    # around
    b'{"ts":1}x', b'{"ts":1} ', b' \n\t\r{"ts":1}\n', b'{"ts":1}{"ts":2}', b'{"ts":1}\x00',
    b'{"ts":1}}', b'{"ts":1}]', b'{"ts":1},', b'\x0c{"ts":1}', b'\xc2\xa0{"ts":1}',
    b'\xef\xbb\xbf{"ts":1}', b'\xff\xfe{\x00"\x00', b'{"ts":1,}', b'{,"ts":1}', b'{"ts":1,,"x":1}',
    b'{"ts" : 1 , "ip" : "a" }', b'{"ts":1;"ip":2}', b'{"ts"=1}', b"{ts:1}", b"{'ts':1}",
    b'{"ts":1//\n}', b'/**/{"ts":1}', b'{"ts"::1}', b'{"ts" 1}', b'{"ts",1}', b"{1:1}",
    b"", b" ", b"\x00", b"{", b"}", b"{}", b"{ }", b"[]", b'[{"ts":1}]', b"null", b"1", b'"ts"',
    b"true", b'{"ts":', b'{"ts"', b'{"ts', b'{"', b'{"ts":1', b'{"ts":1,', b'{"ts":1,"ip":"a',
    b'{"ts":1,"ip":"a\\', b'{"ts":1,"ip":"a\\u', b'{"ts":1,"ip":"a\\u00', b'{"ts":1,"un":"abc',
    b'{"ts":1,"ok":t', b'{"ts":1,"ok":n', b'{"ts":1,"x":1.', b'{"ts":1,"x":-', b'{"ts":-',
    # lists and objects
    *(b'{"ts":%s,"x":[]}' % value for value in (
        b"[]", b"[ ]", b"[null]", b"[1,null,2]", b"[1,]", b"[1", b"[", b"[1.5]", b'["1"]', b"[[1]]",
        b"null", b"{}", b"[1 2]", b"[-0]", b"[9223372036854775808]", b"[1]]",
    )),
    *(b'{"x":%s}' % value for value in (
        b"[]", b"null", b"[null]", b"[{}]", b'[{"a":true,"ts":[["a"],[],null,[null,"b"]]}]',
        b'[{"ts":[["\\ud800"]]}]', b'[{"z":[1,{"a":2}]}]', b'[{"a":1}]', b"[[]]", b'[{"ts":[]}]',
        b'[{"ts":null}]', b'[{"t\\u0073":[["k"]]}]', b'[{"a":true},]', b'[{"a":true}', b"{}",
        b'[{"ts":[["' + b"a" * 30 + b'"]]}]',
    )),
    *(b'{"x":[],"ip":%s}' % value for value in (
        b"{}", b"null", b'{"a":null}', b'{"a":1,"ip":"x"}', "{\"é\":[1.5,null,9007199254740993]}".encode(),
        "{\"é\":[9007199254740992.0,-0,1e300]}".encode(), b'{"a":1,"zz":{"a":"x"}}', b"[]", b'{"a":1',
        b'{"a" :1 , "ip" :"x"}', b'{"a":1,}', b"{}}", b'{"a":1.0}',
    )),
    *(b'{"x":[],"un":[%s]}' % value for value in (
        b"1.5,null,16777217", b"16777217.0", b"3.5e38", b"1e-46", b"-0", b"16777216",
    )),
    # times as text
    *(b'{"ts":"%s","x":"%s","ok":["%s",null]}' % each for each in (
        (b"2024-03-01T10:15:30.5Z", b"2024-03-01", b"PT1.5S"), (b"2024-03-01T10:15:30", b"x", b"P1D"),
        (b"2024-13-01T10:15:30Z", b"2024-02-30", b"PT"), (b"", b"", b""), (b"\\u0032024", b"1", b"P1Y"),
    )),
    b'{"un":{"a":"10:00","ts":"2024-03-01T10:15:30.123"}}', b'{"un":{"a":"25:00"}}',
]  # fmt: skip
"""One record each; what a decoder makes of it must not depend on the decoder."""

_TOKENS = [
    b'"', b"\\", b"{", b"}", b"[", b"]", b",", b":", b"0", b"9", b"-", b"+", b".", b"e", b"E", b" ",
    b"\n", b"\x00", b"\xff", b"\xc3\xa9", b"null", b"true", b"false", b'"ts"', b'"ts":1',
    b'"ip":"z"', b"\\u00e9", b"\\ud83d\\ude00", b"\\ud800", b"1e5", b"1234567890", b"NaN",
]  # fmt: skip
_KEYS = ("ts", "ip", "x", "ok", "un", "u2", "é", 'q"', "", "a\nb")


class Payloads:
    """Random records: good ones of all shapes, and good ones bent.

    Args:
        seed: Makes the same again.
    """

    def __init__(self, seed: int) -> None:
        self._random = random.Random(seed)

    def batch(self, size: int) -> list[bytes | None]:
        """So many records, mostly good."""
        return [self._one() for _ in range(size)]

    def _one(self) -> bytes | None:
        kinds: list[Callable[[], bytes | None]] = [
            self._good,
            self._good,
            lambda: self._bent(self._good()),
            lambda: self._bent(self._random.choice(CORPUS)),
            lambda: self._random.choice([*CORPUS, None]),
        ]
        return self._random.choice(kinds)()

    def _good(self) -> bytes:
        r = self._random
        row = {key: self._value() for key in r.sample(_KEYS, r.randrange(len(_KEYS)))}
        if r.random() < 0.6:
            row |= {"ts": r.choice([r.randrange(10**13), r.getrandbits(62), -r.getrandbits(40)])}
            row |= {"ip": r.choice([None, "10.0.0.1", "é" * r.randrange(9), self._value()])}
            row |= {"x": r.choice([None, 1, r.random(), r.getrandbits(70), self._value()])}
            row |= {"ok": r.choice([None, True, False])}
        elif r.random() < 0.6:
            row |= {"ts": self._list(lambda: r.getrandbits(40))}
            row |= {"x": self._list(lambda: {"a": r.random() < 0.5, "ts": [["t", None], []]})}
            row |= {"ip": {"a": r.getrandbits(50), "ip": "long text, longer than 12", "é": [0.5]}}
            row |= {"un": self._list(r.random)}
        elif r.random() < 0.5:
            row = {"ts": r.randrange(-128, 128), "ip": r.randrange(2**16), "ok": r.getrandbits(62)}
            row |= {"x": r.choice([r.random(), r.randrange(2**25)]), "é": r.getrandbits(80)}
        elif r.random() < 0.6:
            row = {
                "ts": f"20{r.randrange(10, 40)}-03-01T10:15:30Z",
                "x": f"1970-{r.randrange(14)}-01",
            }
            row |= {"ok": self._list(lambda: f"PT{r.randrange(9)}S"), "ip": "aGk="}
        blanks = r.choice([(",", ":"), (", ", ": "), (" ,", " :\n")])
        return json.dumps(_finite(row), ensure_ascii=r.random() < 0.5, separators=blanks).encode()

    def _list(self, item: Callable[[], Any]) -> list[Any]:
        return [
            None if self._random.random() < 0.1 else item()
            for _ in range(self._random.randrange(4))
        ]

    def _value(self, depth: int = 0) -> Any:
        r = self._random
        kind = r.randrange(11 if depth < 3 else 8)
        if kind == 0:
            return r.choice(
                [0, 1, -1, 2**63 - 1, -(2**63), 2**63, 10**17, 10**15, r.getrandbits(60)]
            )
        if kind == 1:
            return struct.unpack("<d", struct.pack("<Q", r.getrandbits(64)))[0]
        if kind == 2:
            return r.choice([True, False, None])
        if kind in (3, 4, 5):
            return "".join(self._letter() for _ in range(r.randrange(30)))
        if kind in (6, 7):
            return r.randrange(10 ** r.randrange(1, 15)) / 100
        if kind == 8:
            return [self._value(depth + 1) for _ in range(r.randrange(4))]
        return {r.choice(["a", "ts", "ip", "é"]): self._value(depth + 1) for _ in range(3)}

    def _letter(self) -> str:
        r = self._random
        ranges = [(32, 127), (0, 0x250), (0x4E00, 0x4F00), (0x1F600, 0x1F610), (34, 35), (92, 93)]
        return chr(r.randrange(*r.choice(ranges)))

    def _bent(self, record: bytes) -> bytes:
        r = self._random
        bent = bytearray(record)
        for _ in range(r.randrange(1, 4)):
            at = r.randrange(len(bent) + 1)
            kind = r.randrange(5)
            if kind == 0:
                bent[at:at] = r.choice(_TOKENS)
            elif kind == 1:
                del bent[at : at + r.randrange(1, 4)]
            elif kind == 2 and at < len(bent):
                bent[at] = r.randrange(256)
            elif kind == 3:
                bent[at : at + 2] = r.choice(_TOKENS)
            elif r.random() < 0.3:
                del bent[at:]
        return bytes(bent)


def _finite(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _finite(each) for key, each in value.items()}
    if isinstance(value, list):
        return [_finite(each) for each in value]
    return 0.5 if isinstance(value, float) and not math.isfinite(value) else value
