"""Every line of the issue, and its sisters: what is right, and what is refused before it runs."""

from __future__ import annotations

from datetime import datetime
from decimal import Decimal
from typing import Any

import polars as pl
import pytest

from raystream.errors import ConfigurationError
from raystream.expressions.compiled import compiled
from raystream.expressions.problem import BadExpression
from tests.expressions.second_opinion import ERROR, plain

COLUMNS: dict[str, pl.DataType] = {
    "n": pl.Int64(),
    "k": pl.Int64(),
    "small": pl.Int8(),
    "huge": pl.UInt64(),
    "x": pl.Float64(),
    "s": pl.String(),
    "ok": pl.Boolean(),
    "d": pl.Decimal(18, 2),
    "at": pl.Datetime("us"),
    "day": pl.Date(),
    "tags": pl.List(pl.String()),
    "user": pl.Struct({"id": pl.Int64(), "home": pl.Struct({"city": pl.String()})}),
    "a.b": pl.Int64(),
}


def value(text: str, **given: Any) -> Any:
    """What a row with these columns gives."""
    frame = pl.DataFrame({n: [given.get(n)] for n in COLUMNS}, schema=COLUMNS)
    found = compiled(text, COLUMNS)
    made = frame.with_columns(value=found.value, error=pl.lit(None) if found.error is None else found.error)  # fmt: skip
    assert made["value"].dtype == found.dtype
    return ERROR if made["error"][0] is not None else made["value"][0]


@pytest.mark.parametrize(
    ("text", "given", "right"),
    [
        ("n / 100000000.0", {"n": 1}, 1e-8),
        ("n / 3.0", {"n": 10}, 3.3333333333333335),
        ("n / 3", {"n": 10}, 3.3333333333333335),
        ("n * k", {"n": 2**62, "k": 2}, ERROR),
        ("n * k", {"n": 2**62, "k": -2}, -(2**63)),
        ("n + k", {"n": 2**63 - 1, "k": 1}, ERROR),
        ("n - k", {"n": -(2**63), "k": 1}, ERROR),
        ("-n", {"n": -(2**63)}, ERROR),
        ("abs(n)", {"n": -(2**63)}, ERROR),
        ("n // k", {"n": -(2**63), "k": -1}, ERROR),
        ("n // 0", {"n": 1}, ERROR),
        ("n % 0", {"n": 1}, ERROR),
        ("initcap(s)", {"s": "hELLO wORLD 3rd a_b o'neil ßa éA"}, "Hello World 3rd A_B O'Neil Ssa Éa"),
        ("initcap(s)", {"s": ""}, ""),
        ("cast(s as date)", {"s": "0000-01-01"}, ERROR),
        ("cast(s as timestamp)", {"s": "0000-12-31 23:59:59"}, ERROR),
        ("cast(s as timestamp)", {"s": "0001-01-01 00:00:00+01"}, ERROR),
        ("try_cast(s as date)", {"s": "0000-01-01"}, None),
        ("cast(s as date)", {"s": "0001-01-01"}, datetime(1, 1, 1).date()),
        ("cast(s as timestamptz)", {"s": "9999-12-31 23:59:59.999999-01"}, ERROR),
        ("initcap(s)", {}, None),
        ("ascii(s)", {"s": "é😀"}, 233),
        ("ascii(s)", {"s": ""}, 0),
        ("chr(n)", {"n": 0x1F600}, "😀"),
        ("chr(n)", {"n": 0xD800}, ERROR),
        ("chr(n)", {"n": -1}, ERROR),
        ("chr(n)", {"n": 0x110000}, ERROR),
        ("bit_count(n)", {"n": -1}, 64),
        ("bit_count(small)", {"small": -1}, 64),
        ("monthname(day)", {"day": datetime(2024, 2, 29).date()}, "February"),
        ("dayname(at)", {"at": datetime(2024, 2, 29, 23)}, "Thursday"),
        ("isoyear(day)", {"day": datetime(2021, 1, 3).date()}, 2020),
        ("century(day)", {"day": datetime(2000, 12, 31).date()}, 20),
        ("millennium(day)", {"day": datetime(2001, 1, 1).date()}, 3),
        ("make_date(n, 2, 29)", {"n": 2024}, datetime(2024, 2, 29).date()),
        ("make_date(n, 2, 29)", {"n": 2023}, ERROR),
        ("make_date(n, 1, 1)", {"n": 0}, ERROR),
        ("make_date(n, 1, 1)", {"n": 2**62}, ERROR),
        ("make_date(n, k, 1)", {"n": 2024}, None),
        ("make_timestamp(2024, 2, 29, 23, 59, x)", {"x": 59.999999}, datetime(2024, 2, 29, 23, 59, 59, 999999)),
        ("make_timestamp(2024, 2, 29, 23, 59, x)", {"x": 60.0}, ERROR),
        ("make_timestamp(2024, 2, 29, 23, 59, x)", {"x": float("nan")}, ERROR),
        ("make_timestamp(2024, 2, 29, 23, 59, d)", {"d": Decimal("1.50")}, datetime(2024, 2, 29, 23, 59, 1, 500000)),
        ("n / 0", {"n": 0}, float("nan")),
        ("n / 0", {"n": 1}, float("inf")),
        ("-7 // 2", {}, -3),
        ("-7 % 2", {}, -1),
        ("CAST(n AS INT) * k", {"n": 2**31 - 1, "k": 2}, 2**32 - 2),
        ("CAST(n AS INT)", {"n": 2**31}, ERROR),
        ("TRY_CAST(n AS INT)", {"n": 2**31}, None),
        ("small * small", {"small": 127}, 16129),
        ("small + 1", {"small": 127}, 128),
        ("-small", {"small": -128}, 128),
        ("huge + 1", {"huge": 2**64 - 1}, ERROR),
        ("huge > n", {"huge": 2**63, "n": -1}, True),
        ("power(n, 20)", {"n": 10}, 1e20),
        ("n = 9007199254740992.0", {"n": 9007199254740993}, False),
        ("0.1 + 0.2 = 0.3", {}, True),
        ("d * 3", {"d": Decimal("0.10")}, Decimal("0.30")),
        ("d + 0.005", {"d": Decimal("0.10")}, Decimal("0.105")),
        ("d * d", {"d": Decimal("1234567890123456.78")}, Decimal("1524157875323883652796829976527.9684")),
        ("d > 0.1", {"d": Decimal("0.10")}, False),
        ("CAST('2.345' AS DECIMAL(10,2))", {}, Decimal("2.35")),
        ("CAST(n AS TIMESTAMP)", {"n": 1709287200000}, datetime(2024, 3, 1, 10)),
        ("hour(CAST(n AS TIMESTAMP))", {"n": 1709287200000}, 10),
        ("EXTRACT(YEAR FROM CAST(n AS TIMESTAMP))", {"n": 1709287200000}, 2024),
        ("CAST(n AS TIMESTAMP)", {"n": 2**62}, ERROR),
        ("CAST(CAST(n AS TIMESTAMP) AS BIGINT)", {"n": 1709287200123}, 1709287200123),
        ("CAST(s AS TIMESTAMP)", {"s": "2024-03-01T12:00+02:00"}, datetime(2024, 3, 1, 10)),
        ("CAST(s AS BIGINT)", {"s": "12x"}, ERROR),
        ("CAST(s AS BIGINT)", {"s": "9223372036854775808"}, ERROR),
        ("CAST(x AS BIGINT)", {"x": 1e19}, ERROR),
        ("CAST(x AS BIGINT)", {"x": float("nan")}, ERROR),
        ("CAST(x AS BIGINT)", {"x": -2.7}, -2),
        ("user.id", {"user": {"id": 7, "home": {"city": "b"}}}, 7),
        ("user.home.city", {"user": {"id": 7, "home": {"city": "b"}}}, "b"),
        ("user.id + 1", {"user": None}, None),
        ("tags[0]", {"tags": ["a", "b"]}, "a"),
        ("tags[-1]", {"tags": ["a", "b"]}, "b"),
        ("tags[5]", {"tags": ["a", "b"]}, None),
        ("a.b", {"a.b": 5}, 5),
        ("a.b + 1", {"a.b": 5}, 6),
        ('"a.b" * 2', {"a.b": 5}, 10),
        ("CASE WHEN k <> 0 THEN n // k ELSE 0 END", {"n": 1, "k": 0}, 0),
        ("CASE WHEN k = 0 THEN 0 ELSE n // k END", {"n": 1, "k": 0}, 0),
        ("COALESCE(n, k // 0)", {"n": 1, "k": 1}, 1),
        ("COALESCE(n, k // 0)", {"k": 1}, ERROR),
        ("k <> 0 AND n // k > 1", {"n": 1, "k": 0}, False),
        ("k = 0 OR n // k > 1", {"n": 1, "k": 0}, True),
        ("n IN (1, NULL)", {"n": 2}, None),
        ("n NOT IN (1, NULL)", {"n": 2}, None),
        ("n IN (1, NULL)", {"n": 1}, True),
        ("n BETWEEN 1 AND 3 AND ok", {"n": 3, "ok": True}, True),
        ("s LIKE 'a_c%'", {"s": "abc\nd"}, True),
        ("s LIKE 'a.c'", {"s": "abc"}, False),
        (r"s LIKE 'a\_c' ESCAPE '\'", {"s": "abc"}, False),
        ("at + INTERVAL '1 month'", {"at": datetime(2024, 1, 31)}, datetime(2024, 2, 29)),
        ("at >= '2024-01-01'", {"at": datetime(2024, 1, 1)}, True),
        ("hour(at AT TIME ZONE 'UTC' AT TIME ZONE 'Europe/Berlin')",
         {"at": datetime(2024, 7, 1, 10)}, 12),
        ("at AT TIME ZONE 'Europe/Berlin'", {"at": datetime(2024, 3, 31, 2, 30)}, ERROR),
        ("s ->> '$.a[1].b'", {"s": '{"a": [1, {"b": "x"}]}'}, "x"),
        ("s ->> 'a'", {"s": "no json"}, ERROR),
        ("upper(s) || '-' || n", {"s": "a", "n": 1}, "A-1"),
        ("substring(s FROM 2 FOR 2)", {"s": "héllo"}, "él"),
        ("n", {"n": 1}, 1),
    ],
)  # fmt: skip
def test_what_is_right(text: str, given: dict[str, Any], right: Any) -> None:
    found = value(text, **given)
    assert found == right or plain(found) == plain(right) == "NaN"


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("ROW_NUMBER() OVER (ORDER BY n)", "OVER looks beyond its row"),
        ("FIRST_VALUE(n) OVER (ORDER BY n)", "OVER looks beyond its row"),
        ("first_value(n)", "first_value() looks beyond its row"),
        ("lag(n)", "lag() looks beyond its row"),
        ("cum_sum(n)", "cum_sum() looks beyond its row"),
        ("sum(n - MIN(n))", "sum() is over many rows"),
        ("n = MAX(n)", "max() is over many rows"),
        ("count(*)", "count() is over many rows"),
        ("count(DISTINCT n)", "DISTINCT looks beyond its row"),
        ("sum(n) FILTER (WHERE ok)", "FILTER belongs to an aggregate"),
        ("n in (select 1)", "a subquery looks beyond its row"),
        ("(select 1)", "a subquery looks beyond its row"),
        ("exists (select 1)", "a subquery looks beyond its row"),
        ("select n", "a subquery looks beyond its row"),
        ("now()", "now() differs after a replay"),
        ("random()", "random() differs after a replay"),
        ("uper(s)", "no function 'uper', at character 1 of \"uper(s)\"; did you mean 'upper'?"),
        ("n + s", "an integer and a string cannot be combined"),
        ("ok + 1", "a boolean and an integer cannot be combined"),
        ("n and ok", "and needs conditions; this is an integer"),
        ("case when n then 1 end", "a condition is true or false"),
        ("upper(n)", "argument 1 of upper is an integer, not text"),
        ("hour(n)", "argument 1 of hour is an integer, not a time"),
        ("upper(s, s)", "upper takes 1 argument, not 2"),
        ("user.nme", "user has no field 'nme'"),
        ("user + 1", "an integer and an object cannot be combined"),
        ("user = user", "= does not order objects"),
        ("n.x", "n is integer, not an object"),
        ("nn", "no column 'nn'; did you mean 'n'?"),
        ("n < 1 < 2", "comparisons cannot be chained"),
        ("9223372036854775807 + 1", "does not fit 64 bits"),
        ("1 // 0", "division by zero"),
        ("99999999999999999999", "does not fit 64 bits"),
        ("cast(n as nothing)", "no type 'nothing'"),
        ("date '2024-02-30'", "'2024-02-30' is not a valid date"),
        ("s like n", "argument 2 of like is an integer, not text"),
        ("regexp_like(s, '(')", "is not a regular expression"),
        ("at at time zone 'Mars/Olympus'", "no time zone 'Mars/Olympus'"),
        ("n -- 1", "comments have no place"),
        ("n ^ 2", "^ is not an operator here"),
        ("", "there is no expression"),
        ("n +", "something is missing at the end"),
    ],
)
def test_what_is_refused(text: str, message: str) -> None:
    with pytest.raises(BadExpression) as error:
        compiled(text, COLUMNS)
    assert message in str(error.value)
    assert "_POLARS" not in str(error.value)
    assert 0 <= error.value.offset <= len(text)


@pytest.mark.parametrize(
    "expression",
    [
        pl.col("n").is_first_distinct(), pl.col("n").cum_sum(), pl.col("n").shift(1),
        pl.col("n").sum().over("k"), pl.col("n").rank(), pl.col("n").mean(), pl.col("n").max(),
        pl.col("n") - pl.col("n").min(), pl.col("n").diff(), pl.col("n").rolling_mean(2),
        pl.col("n").fill_null(strategy="forward"), pl.col("n").is_in(pl.col("n").implode()),
        pl.col("n").sort(), pl.col("n").reverse(), pl.col("n").head(1), pl.len(), pl.int_range(pl.len()),
        pl.col("n").is_duplicated(), pl.col("n").rle_id(), pl.col("n").interpolate(),
        pl.col("n").sort_by("k"), pl.col("n").filter(pl.col("ok")), pl.col("n").ewm_mean(com=1),
        pl.col("n").pct_change(), pl.col("n").mode(), pl.col("n").value_counts(),
        pl.col("n").map_batches(lambda s: s.cum_sum(), return_dtype=pl.Int64),
        pl.when(pl.col("n") == pl.col("n").max()).then(1), pl.col("n").is_unique(),
        pl.col("n").unique(), pl.col("n").gather([0]), pl.col("n").shuffle(), pl.col("n").sample(1),
        pl.struct(pl.col("n").cum_max()).struct.field("n"), pl.col("s").str.join(","), pl.lit(pl.Series([1, 2])),
        pl.col("n").arg_sort(), pl.col("n").peak_max(), pl.col("n").search_sorted(1), pl.col("tags").explode(),
        pl.col("n").backward_fill(), pl.col("n").entropy(), pl.corr("n", "k"), pl.col("n").cum_count(),
        pl.col("n").first(), pl.col("n").last(), pl.col("n").n_unique(), pl.col("n").extend_constant(1, 1),
    ],
)  # fmt: skip
def test_what_looks_beyond_its_row_is_refused(expression: pl.Expr) -> None:
    with pytest.raises(ConfigurationError, match="looks beyond its row"):
        compiled(expression, COLUMNS)


@pytest.mark.parametrize(
    ("expression", "dtype"),
    [
        (pl.col("n") * 2 + pl.col("k"), pl.Int64()),
        (pl.col("s").str.to_uppercase().str.replace("A", "b"), pl.String()),
        (pl.when(pl.col("n") > 1).then(pl.lit("a")).otherwise(pl.col("s")), pl.String()),
        (pl.col("n").is_in([1, 2]), pl.Boolean()),
        (pl.col("s").is_in(pl.col("tags")), pl.Boolean()),
        (pl.col("user").struct.field("id"), pl.Int64()),
        (pl.col("tags").list.eval(pl.element().str.to_uppercase()).list.first(), pl.String()),
        (pl.col("tags").list.len(), pl.UInt32()),
        (pl.col("at").dt.truncate("1h").dt.hour(), pl.Int8()),
        (pl.coalesce("n", "k"), pl.Int64()),
        (pl.concat_str("s", pl.lit("x")), pl.String()),
        (pl.struct("n", "k"), pl.Struct({"n": pl.Int64(), "k": pl.Int64()})),
        (pl.col("n").cast(pl.String), pl.String()),
        (pl.col("s").cast(pl.Int64), pl.Int64()),
        (pl.col("n").replace_strict({1: "a"}, default="b"), pl.String()),
        (pl.max_horizontal("n", "k"), pl.Int64()),
        (pl.col("x").round(2).clip(0, 1).fill_null(0).fill_nan(0), pl.Float64()),
        (pl.lit(5), pl.Int32()),
        (pl.col("n").is_between(1, 2) & ~pl.col("ok"), pl.Boolean()),
    ],
)
def test_what_looks_at_its_row_stays_possible(expression: pl.Expr, dtype: pl.DataType) -> None:
    assert compiled(expression, COLUMNS).dtype == dtype


def test_places_point_into_the_text() -> None:
    with pytest.raises(BadExpression) as error:
        compiled("n > 1 and uper(s) = 'A'", COLUMNS)
    assert error.value.offset == 10
    with pytest.raises(BadExpression) as error:
        compiled("n > 1 and ss = 'A'", COLUMNS)
    assert error.value.offset == 10


@pytest.mark.parametrize(
    ("text", "reads"),
    [
        ("n + k", {"n", "k"}),
        ("user.id", {"user"}),
        ("tags[n]", {"tags", "n"}),
        ("case when ok then x else 1 end", {"ok", "x"}),
        ("1 = 1", set()),
        ("a.b + 1", {"a.b"}),
    ],
)
def test_columns_that_are_read(text: str, reads: set[str]) -> None:
    found = compiled(text, COLUMNS)
    assert found.reads == reads
    assert found.constant == (not reads)


def test_a_long_expression_is_refused_not_a_crash() -> None:
    with pytest.raises(BadExpression):
        compiled("(" * 500 + "n" + ")" * 500, COLUMNS)
    with pytest.raises(BadExpression):
        compiled(" + ".join(["n"] * 5000), COLUMNS)
    assert compiled(" or ".join(f"n = {k}" for k in range(300)), COLUMNS).dtype == pl.Boolean()
