"""Every function and operator against DuckDB, over generated values, nulls and extremes.

What is told apart on purpose stands in `differs` of the table, and so on the page.
"""

from __future__ import annotations

import itertools
from collections.abc import Mapping, Sequence
from datetime import datetime
from decimal import Decimal
from typing import Any

import polars as pl
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from raystream.expressions.parser import parse
from raystream.expressions.registry import BY_NAME, FUNCTIONS
from raystream.expressions.tree import Call, walk
from tests.expressions.second_opinion import DuckDB, ours, same

INTEGERS = [0, 1, -1, 7, -7, 2**63 - 1, -(2**63), 2**53 + 1, None, 3037000500]
FLOATS = [0.0, -0.0, 1.5, -2.5, 2.5, float("nan"), float("inf"), -float("inf"), 1e308, 1e-300,
          None, 0.1, 9.3e18]  # fmt: skip
TEXTS = ["", "a", "abc", "héllo", "A b", "  x ", "%", "a,b,,c", "日本語😀", None, "aaa", "12", " 5 ",
         "abc.def"]  # fmt: skip
TIMES = [datetime(2024, 2, 29, 23, 59, 59, 999999), datetime(1970, 1, 1), datetime(2024, 12, 30, 10),
         datetime(1969, 12, 31, 23, 59, 59, 500000), datetime(2021, 1, 3, 1), None,
         datetime(2000, 1, 31, 5)]  # fmt: skip
DECIMALS = [Decimal("1.10"), Decimal("-2.55"), Decimal("0.00"), None, Decimal("99999999.99")]

INT, F, S, B, T = pl.Int64(), pl.Float64(), pl.String(), pl.Boolean(), pl.Datetime("us")
D = pl.Decimal(18, 2)

Asked = str | tuple[str, str]
"""An expression; or ours and DuckDB's way to write the same."""

TWO_INTEGERS: list[Asked] = [
    "a + b", "a - b", "a * b", "a / b", "a // b", "a % b", "mod(a, b)", "-a", "+a", "abs(a)", "sign(a)",
    "a = b", "a <> b", "a < b", "a <= b", "a > b", "a >= b", "a is null", "a is not null",
    "a is distinct from b", "a is not distinct from b", "a between b and 10", "a in (1, b, 7)",
    "a not in (1, null)", "a in (1,2,3,4,5,6,7,8,9,10,12345)", "coalesce(a, b, 5)", "nullif(a, b)",
    "greatest(a, b)", "least(a, b)", "case when a > b then a when b > 0 then 1 // b else 0 end",
    "case a when 1 then 'x' else 'y' end", ("if(a > b, a, b)", "case when a > b then a else b end"),
    "a > 0 and b > 0", "a > 0 or b > 0", "not a > b", "(a > 0) is true", "(a > b) is false",
    "cast(a as int)", "cast(a as smallint)", "cast(a as double)", "cast(a as varchar)",
    "cast(a as boolean)", "try_cast(a as int)", "cast(a as ubigint)", "cast(a as decimal(18,2))",
    "round(a, -1)", "round(a)", "floor(a)", "ceil(a)", "trunc(a)", "power(a, b)", "a + b * 2 - 3",
    "sqrt(a)", "ln(a)", "exp(a)", ("bit_and(a, b)", "a & b"), ("bit_or(a, b)", "a | b"),
    ("bit_xor(a, b)", "xor(a, b)"), "a || b", "concat(a, b)", "a = 7.0", "a > 2.5", "a + 0.5", "pi()",
    "bit_count(a)", ("chr(a % 70000)", "chr((a % 70000)::int)"), ("chr(a % 2000000)", "chr((a % 2000000)::int)"),
    "make_date(2000 + a % 9, abs(b % 14), abs(a % 33))", "make_date(2024, 2, abs(a % 31))",
    "make_timestamp(2024, abs(a % 14), 29 + abs(b % 3), 10, abs(b % 70), 1.5)", "a / 0", "a / 0.0", "a / (1 - 1)", "a / 1", "a / 3", "0 / a", "1 / a",
]  # fmt: skip
TWO_FLOATS: list[Asked] = [
    "a + b", "a - b", "a * b", "a / b", "a % b", "a = b", "a <> b", "a < b", "a >= b", "greatest(a, b)",
    "least(a, b)", "round(a)", "round(a, 1)", "floor(a)", "ceil(a)", "trunc(a)", "abs(a)", "sign(a)",
    "sqrt(a)", "cbrt(a)", "exp(a)", "ln(a)", "log2(a)", "log10(a)", "log(a)", "sin(a)", "cos(a)",
    "tan(a)", "sinh(a)", "cosh(a)", "tanh(a)", "cot(a)", "asin(a)", "acos(a)", "atan(a)", "atan2(a, b)", "degrees(a)", "radians(a)", "power(a, b)",
    "isnan(a)", "isinf(a)", "isfinite(a)", "a in (1.5, b)", "a between b and 2", "nullif(a, b)", "-a",
    "a is distinct from b", "a * 2", "a + 1", "a / 0", "a / 0.0", "a / 10", "1 / a", "0.0 / a", ("cast(trunc(a) as bigint)", "cast(trunc(a) as bigint)"),
]  # fmt: skip
TEXT: list[Asked] = [
    "s || p", "concat(s, p)", "concat_ws('-', s, p)", "lower(s)", "upper(s)", "length(s)",
    ("octet_length(s)", "strlen(s)"), "reverse(s)", "substring(s, n)", "substring(s, n, 2)", "left(s, n)",
    "right(s, n)", "position(p in s)", "instr(s, p)", "replace(s, p, 'x')", "replace(s, 'a', p)",
    ("split_part(s, p || ',', if(n = 0, 1, n))", "split_part(s, p || ',', case when n = 0 then 1 else n end)"),
    "trim(s)", "ltrim(s)", "rtrim(s)", "trim(s, 'ax')", "starts_with(s, p)", "ends_with(s, p)",
    "contains(s, p)", "s like '%a%'", "s like '_b%'", "s ilike 'A%'", "s like '%.%'", "s like p",
    "s not like 'a%'", "regexp_matches(s, '[ab]+')",
    ("coalesce(regexp_extract(s, '(a)(b)', 2), case when s is not null then '' end)",
     "regexp_extract(s, '(a)(b)', 2)"),
    ("regexp_replace(s, 'a+', 'x')", "regexp_replace(s, 'a+', 'x', 'g')"),
    ("regexp_replace(s, '(a)(b)', '\\2\\1')", "regexp_replace(s, '(a)(b)', '\\2\\1', 'g')"),
    "s = p", "s < p", "s > p", "greatest(s, p)", "translate(s, 'ab', 'x')", "cast(s as bigint)",
    "cast(s as double)", "cast(s as decimal(10,2))", "cast(s as boolean)", "try_cast(s as bigint)",
    "ascii(s)", "hex(s)", "md5(s)", "sha1(s)", "sha256(s)", "s in ('a', p)", "coalesce(s, p)", "repeat(s, n)", ("lpad(s, n, 'xy')", "lpad(s, n::int, 'xy')"),
    ("rpad(s, n, 'xy')", "rpad(s, n::int, 'xy')"), ("split(s, p || ',')", "case when p is not null then split(s, p || ',') end"),
    ("cardinality(split(s, ','))", "len(split(s, ','))"), ("split(s, ',')[0]", "split(s, ',')[1]"),
    ("array_contains(split(s, ','), 'a')", "list_contains(split(s, ','), 'a')"),
    ("array_to_string(split(s, ','), '-')", "array_to_string(split(s, ','), '-')"),
]  # fmt: skip
UNITS = ["year", "quarter", "month", "week", "day", "hour", "minute", "second", "millisecond"]
TEMPORAL: list[Asked] = [
    "monthname(t)", "dayname(t)", "monthname(cast(t as date))", "isoyear(t)", "decade(t)", "century(t)", "millennium(t)",
    "extract(isoyear from t)", "year(t)", "quarter(t)", "month(t)", "week(t)", "day(t)", "dayofweek(t)", "isodow(t)", "dayofyear(t)",
    "hour(t)", "minute(t)", "second(t)", "millisecond(t)", "microsecond(t)", "epoch(t)",
    "extract(hour from t)", "extract(dow from t)", "date_part('year', t)",
    *[f"date_trunc('{unit}', t)" for unit in UNITS],
    *[f"date_diff('{unit}', t, u)" for unit in [*UNITS, "microsecond"] if unit != "week"],
    "t + interval '1 month'", "t - interval '1 month'", "t + interval '90 minutes'", "t + interval 1 day",
    "t = u", "t < u", "t - u", "cast(t as date)", "cast(t as varchar)", "cast(t as time)", "last_day(t)",
    "strftime(t, '%Y-%m-%d %H:%M:%S')", "epoch_us(t)", "t > '2024-01-01'",
    ("date_add('day', n, t)", "t + to_days(n::int)"), ("date_add('month', n, t)", "t + to_months(n::int)"),
    "t between '2000-01-01' and '2024-06-01'", "greatest(t, u)", "cast(t as date) - cast(u as date)",
    ("cast(t as date) + n", "cast(t as date) + n::int"), ("from_unixtime(n)", "make_timestamp(n * 1000000)"),
    ("epoch_ms(n)", "make_timestamp(n * 1000)"), ("to_date(t)", "cast(t as date)"),
    "cast(cast(t as varchar) as timestamp)", ("to_timestamp(cast(t as varchar))", "t"),
    "t at time zone 'America/New_York' at time zone 'UTC'",
]  # fmt: skip
TRUTHS: list[Asked] = [
    "a and b", "a or b", "not a", "a = b", "a < b", "a is true", "a is not false", "a is unknown",
    "cast(a as int)", "cast(a as varchar)", "case when a then 1 when b then 2 end", "greatest(a, b)",
]  # fmt: skip
MONEY: list[Asked] = [
    "a + b", "a - b", "a * n", "a / b", "a % b", "a + n", "a + 0.001", "a * 1.5", "a * x", "a = b", "a > n",
    "a > 1.1", "a = 1.10", "a < x", "round(a, 1)", "round(a)", "floor(a)", "ceil(a)", "trunc(a)",
    "trunc(a, 1)", "abs(a)", "-a", "sign(a)", "cast(a as double)", "cast(a as varchar)",
    "cast(a as decimal(10,1))", "coalesce(a, 0)", "greatest(a, b)", "a in (1.1, 2)", "a between 0 and 2",
    "least(a, n)", "case when a > 0 then a else 0 end",
]  # fmt: skip
JSON: list[Asked] = [
    ("s -> 'a'", "s::json -> 'a'"), ("s ->> 'a'", "s::json ->> 'a'"), ("s ->> '$.a.b'", "s::json ->> '$.a.b'"),
    "json_exists(s, '$.a')", ("s ->> '$[1].a'", "s::json ->> '$[1].a'"), "json_valid(s)",
    ("s -> 0", "s::json -> 0"), ("json_value(s, '$.n')", "json_value(s, '$.n')"),
]  # fmt: skip
ROWS = ['{"a":"x"}', '{"a":{"b":1}}', '{"a":null}', '{"a":[1,2]}', "{}", "nope", '{"n":true}', None,
        '[1,{"a":2}]', '"x"', "null", '{"a": {"b" : [1, 2] }}']  # fmt: skip

CASES: dict[str, tuple[Mapping[str, pl.DataType], Sequence[Sequence[Any]], list[Asked]]] = {
    "integers": ({"a": INT, "b": INT}, list(itertools.product(INTEGERS, INTEGERS)), TWO_INTEGERS),
    "floats": ({"a": F, "b": F}, list(itertools.product(FLOATS, FLOATS)), TWO_FLOATS),
    "texts": (
        {"s": S, "p": S, "n": INT},
        list(itertools.product(TEXTS, ["", "a", ",", None, "😀"], [0, 1, -2, 5, None])),
        TEXT,
    ),
    "times": (
        {"t": T, "u": T, "n": INT},
        list(itertools.product(TIMES, TIMES, [0, -1, 5, None])),
        TEMPORAL,
    ),
    "truths": ({"a": B, "b": B}, list(itertools.product([True, False, None], repeat=2)), TRUTHS),
    "money": (
        {"a": D, "b": D, "n": INT, "x": F},
        list(itertools.product(DECIMALS, DECIMALS, [0, 3, -7, None], [0.5, None])),
        MONEY,
    ),
    "json": ({"s": S}, [(row,) for row in ROWS], JSON),
}


def differences(
    schema: Mapping[str, pl.DataType], rows: Sequence[Sequence[Any]], asked: Sequence[Asked]
) -> list[str]:
    duck = DuckDB(schema, rows)
    found = []
    for each in asked:
        text, sql = (each, each) if isinstance(each, str) else each
        pairs = zip(rows, ours(text, schema, rows), duck.evaluate(sql), strict=True)
        wrong = [(row, mine, his) for row, mine, his in pairs if not same(mine, his)]
        found += [f"{text} of {row}: {mine!r}, DuckDB {his!r}" for row, mine, his in wrong[:2]]
    return found


@pytest.mark.parametrize("kind", CASES)
def test_extremes(kind: str) -> None:
    assert differences(*CASES[kind]) == []


_INTEGER = st.none() | st.integers(-(2**63), 2**63 - 1) | st.integers(-100, 100)
_FLOAT = st.none() | st.floats(-1e6, 1e6)
_TEXT = st.none() | st.text("abAB ,%_.é😀1", max_size=8)
_TIME = st.none() | st.datetimes(datetime(1900, 1, 1), datetime(2100, 1, 1))
_CENTS = st.none() | st.decimals(-(10**7), 10**7, places=2)
_GENERATED = {
    "integers": st.tuples(_INTEGER, _INTEGER),
    "floats": st.tuples(_FLOAT, _FLOAT),
    "texts": st.tuples(_TEXT, _TEXT, st.none() | st.integers(-12, 12)),
    "times": st.tuples(_TIME, _TIME, st.none() | st.integers(-1000, 1000)),
    "money": st.tuples(_CENTS, _CENTS, st.none() | st.integers(-1000, 1000), _FLOAT),
}


@pytest.mark.parametrize("kind", _GENERATED)
@settings(max_examples=2, deadline=None, suppress_health_check=list(HealthCheck))
@given(data=st.data())
def test_generated_values(kind: str, data: st.DataObject) -> None:
    rows = data.draw(st.lists(_GENERATED[kind], min_size=20, max_size=30))
    schema, _, asked = CASES[kind]
    assert differences(schema, rows, asked) == []


def test_every_function_is_compared_or_told_apart() -> None:
    asked = [
        each if isinstance(each, str) else each[0] for _, _, many in CASES.values() for each in many
    ]
    called = {n.name for text in asked for n in walk(parse(text)) if isinstance(n, Call)}
    compared = {BY_NAME[name].name for name in called}
    assert not [f.name for f in FUNCTIONS if f.name not in compared and not f.differs]
