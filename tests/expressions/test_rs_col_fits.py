"""What Polars would wrap, round or drop in rs.col: a row with such a value fails, others do not."""

from __future__ import annotations

from datetime import date, datetime, time, timedelta
from decimal import Decimal
from typing import Any

import polars as pl
import pytest

import raystream as rs
from raystream.errors import ConfigurationError
from raystream.expressions.compiled import compiled
from raystream.testing import feed

TOP, LEAST = 2**63 - 1, -(2**63)
C, E = pl.col, pl.element()
INT, TINY, BYTE = pl.Int64, pl.Int8, pl.UInt8
MS, US, NS = pl.Datetime("ms"), pl.Datetime("us"), pl.Datetime("ns")
DMS, DUS, DNS = pl.Duration("ms"), pl.Duration("us"), pl.Duration("ns")
DAY = timedelta(days=1)
LATE = 250_000_000_000_000  # milliseconds: the year 9892
BEYOND = 260_000_000_000_000  # the year 10208
LIST, ARRAY = pl.List(INT), pl.Array(INT, 2)
OBJECT = pl.Struct({"x": INT})

CASES: list[tuple[pl.Expr, Any, list[Any], list[Any]]] = [
    # expression, type of a (and of b, c), rows that fit, rows that do not
    (-C("a"), INT, [TOP, None, LEAST + 1], [LEAST]),
    (-C("a"), TINY, [127, -127], [-128]),
    (C("a").abs(), INT, [TOP, LEAST + 1], [LEAST]),
    (C("a").abs(), pl.Int32, [-(2**31) + 1], [-(2**31)]),
    (C("a") // C("b"), (INT, INT), [(LEAST, 1), (7, -1), (LEAST, 0)], [(LEAST, -1)]),
    (C("a").truncdiv(C("b")), (TINY, TINY), [(-127, -1)], [(-128, -1)]),
    (C("a") % C("b"), (INT, INT), [(LEAST, -1), (7, 0)], []),
    (C("a") ** C("b"), (INT, INT), [(2, 62), (-2, 63), (10, 18), (0, 0)], [(2, 63), (10, 19), (3, 64)]),
    (C("a") ** 2, BYTE, [15], [16, 200]),
    (C("a") ** 2, INT, [3037000499, -3037000499], [3037000500]),
    (C("a") ** 0.5, INT, [TOP], []),
    (C("a") - C("b"), (BYTE, BYTE), [(2, 1)], [(1, 2)]),
    (C("a").str.len_chars() - 5, pl.String, ["123456"], ["123"]),
    (pl.sum_horizontal("a", "b"), (INT, INT), [(TOP, -1), (TOP, None)], [(TOP, 1)]),
    (pl.sum_horizontal("a", "b"), (TINY, TINY), [(100, 27)], [(100, 28)]),
    (pl.sum_horizontal("a", "b"), (DUS, DUS), [(TOP, -1)], [(TOP, 1)]),
    (pl.mean_horizontal("a", "b"), (INT, INT), [(1, 2)], [(TOP, TOP)]),
    (C("a").round_sig_figs(1), INT, [1234], [TOP]),
    (pl.coalesce("a", 0.5), INT, [2**53, None, TOP + 1 - 1024], [2**53 + 1]),
    (C("a").fill_null(C("b")), (pl.Float64, INT), [(1.0, TOP), (None, 2**53)], [(None, TOP)]),
    (pl.when(C("a") > 0).then("a").otherwise(0.5), INT, [2**53, -TOP], [2**53 + 1]),
    (pl.max_horizontal("a", pl.lit(0.5)), INT, [7], [2**53 + 1]),
    (pl.lit(2**62) * C("a"), INT, [1, -2], [2]),
    (C("a") * C("a"), pl.Int128, [2**60], [2**64]),
    # lists and objects
    (C("a").list.sum(), LIST, [[TOP, -1], [], None], [[TOP, 1]]),
    (C("a").list.sum(), pl.List(BYTE), [[200, 200]], []),
    (C("a").arr.sum(), ARRAY, [[TOP, -1]], [[TOP, 1]]),
    (C("a").arr.dot(C("b")), (ARRAY, ARRAY), [([1, 2], [3, 4])], [([TOP, 2], [2, 2])]),
    (C("a").list.diff(), LIST, [[1, 5], [TOP, -1]], [[TOP, -2]]),
    (C("a").list.eval(E * 3), LIST, [[1, 2], None, []], [[1, TOP]]),
    (C("a").list.eval(E + 100), pl.List(BYTE), [[155]], [[1, 156]]),
    (C("a").list.eval(-E), LIST, [[TOP]], [[LEAST]]),
    (C("a").list.eval(pl.when(E > 0).then(0).otherwise(E * 2)), LIST, [[TOP, -1]], [[LEAST]]),
    (C("a").list.eval(E.sum()), LIST, [[TOP, -1]], [[TOP, 1]]),
    (C("a").list.eval(E.cum_sum()), LIST, [[-1, TOP]], [[TOP, 1]]),
    (C("a").list.agg(E.dot(E)), LIST, [[1, 2]], [[2**32, 1]]),
    (C("a").list.agg((E * E).sum()), LIST, [[2**31, 1]], [[2**31, 2**31, 2**31]]),
    (C("a").arr.eval(E * 3), ARRAY, [[1, 2]], [[1, TOP]]),
    (C("a").list.filter(E * 2 > 2), LIST, [[1, 2]], [[TOP]]),
    (C("a").list.eval(E.list.eval(E * 2)), pl.List(LIST), [[[1]], [[]]], [[[1], [2, TOP]]]),
    (C("a").struct.field("x") + 1, OBJECT, [{"x": 1}], [{"x": TOP}]),
    (C("a").struct.with_fields(pl.field("x") * 2), OBJECT, [{"x": 1}], [{"x": TOP}]),
    # times
    (C("a") + C("b"), (US, DUS), [(0, 1), (None, 1)], [(TOP, 1), (0, TOP)]),
    (C("a") - C("b"), (NS, DNS), [(0, TOP)], [(LEAST, 1)]),
    (C("a") - C("b"), (US, US), [(5, 7)], [(TOP, -1), (LEAST, 1)]),
    (C("a") + C("b"), (DUS, DUS), [(TOP, -1)], [(TOP, 1)]),
    (C("a") * 2, DUS, [TOP // 2 - 2048], [TOP]),
    (C("a") * 2.5, DUS, [10], [TOP]),
    (C("a") / 2, DUS, [TOP], []),
    (-C("a"), DMS, [TOP], [LEAST]),
    (C("a").abs(), DNS, [LEAST + 1], [LEAST]),
    (C("a") + C("b"), (MS, DUS), [(0, 1000)], [(0, 1)]),
    (C("a") == C("b"), (MS, US), [(1, 1000)], [(1, 1001)]),
    (pl.coalesce("a", "b"), (MS, US), [(1, 1001), (None, 1000)], [(None, 1001)]),
    (C("a") + DAY, pl.Date, [date(2024, 2, 28)], [date(9999, 12, 31)]),
    (C("a") + C("b"), (pl.Date, DUS), [(date(2024, 1, 1), 86_400_000_000)], [(date(2024, 1, 1), 1)]),
    (C("a").dt.offset_by("1d"), MS, [0, LATE], [TOP, BEYOND]),
    (C("a").dt.offset_by("1mo"), NS, [0], [TOP]),
    (C("a").dt.offset_by(C("b")), (US, pl.String), [(0, "1d"), (0, "-2h30m")], [(0, "99999999999h")]),
    (C("a").dt.round("1d"), NS, [0, TOP // 2], [TOP]),
    (C("a").dt.truncate("1d"), NS, [TOP], [LEAST]),
    (C("a").dt.year(), MS, [LATE, None], [BEYOND, TOP]),
    (C("a").dt.strftime("%Y"), MS, [LATE], [BEYOND, TOP]),
    (C("a").dt.month_start(), MS, [LATE], [TOP]),
    (C("a").dt.timestamp("ns"), US, [0], [TOP]),
    (C("a").dt.total_nanoseconds(), DUS, [TOP // 1000], [TOP]),
    (C("a").dt.total_microseconds(), DMS, [TOP // 1000, None], [TOP // 999]),
    (C("a").dt.cast_time_unit("ns"), US, [0, None], [TOP // 2]),
    (C("a").dt.replace(year=2500), NS, [], [5]),
    (C("a").cast(US), MS, [0], [TOP]),
    (C("a").dt.combine(time(1)), MS, [LATE], [TOP]),
    (pl.duration(days=C("a")), INT, [3, None], [2**60]),
    (pl.duration(seconds=C("a"), time_unit="ns"), INT, [3], [2**60]),
    (pl.datetime(C("a"), 1, 1), INT, [2024], [300_000]),
    (pl.datetime(C("a"), 1, 1, time_unit="ns"), INT, [2024], [3000]),
    (pl.from_epoch("a", "s"), INT, [5], [TOP // 10]),
    (C("a").str.to_datetime("%Y-%m-%d", time_unit="ns"), pl.String, ["2024-01-01"], ["9999-01-01"]),
    # casts and decimals
    (C("a").cast(TINY), INT, [127], [128]),
    (C("a").cast(TINY, strict=False), INT, [127, 128], []),
    (C("a").cast(INT), pl.Float64, [1.0], [1e19, float("nan")]),
    (C("a") * C("a"), pl.Decimal(38, 0), [Decimal(3)], [Decimal(10**37)]),
    (C("a") + C("a"), pl.Decimal(38, 0), [Decimal(3)], [Decimal(10**38 - 1)]),
]  # fmt: skip


def columns(types: Any) -> dict[str, pl.DataType]:
    each = types if isinstance(types, tuple) else (types,)
    return {n: d() if isinstance(d, type) else d for n, d in zip("abc", each, strict=False)}


def frame(rows: list[Any], schema: dict[str, pl.DataType]) -> pl.DataFrame:
    tuples = [row if isinstance(row, tuple) else (row,) for row in rows]
    made = {n: [row[at] for row in tuples] for at, n in enumerate(schema)}
    kinds = {n: INT() if isinstance(d, pl.Datetime | pl.Duration) else d for n, d in schema.items()}
    numbers = pl.DataFrame(made, schema=kinds)
    return numbers.select(_physical(n, kinds[n], d) for n, d in schema.items())


def _physical(name: str, was: pl.DataType, kind: pl.DataType) -> pl.Expr:
    return pl.col(name) if was == kind else pl.col(name).cast(kind)


@pytest.mark.parametrize("case", CASES, ids=lambda case: str(case[0])[:60])
def test_a_row_fails_if_its_value_does_not_fit(case: Any) -> None:
    expression, types, good, bad = case
    schema = columns(types)
    found = compiled(expression, schema)
    for row in [*good, *bad]:
        assert fails(found, frame([row], schema)) == (row in bad), row
    if good:  # what cannot fail is computed together
        together = frame(good, schema)
        if found.error is not None:
            assert together.select(found.error).to_series().null_count() == len(good)
        together.select(found.value)


def fails(found: Any, row: pl.DataFrame) -> bool:
    try:
        if found.error is not None and row.select(found.error).item() is not None:
            return True
        row.select(found.value)
    except (pl.exceptions.PolarsError, pl.exceptions.PanicException):
        return True
    return False


@pytest.mark.parametrize(
    ("expression", "kind"),
    [
        (C("a").cast(TINY, wrap_numerical=True), INT),
        (C("a") + C("a"), LIST),
        (C("a") * 2, LIST),
        (C("a") / 2, LIST),
        (C("a") + 1, OBJECT),
        (pl.sum_horizontal("a", "a"), OBJECT),
        (pl.sum_horizontal("a", "a"), LIST),
        (C("a").list.eval(E.product()), LIST),
        (C("a").list.eval(E.rolling_sum(2)), LIST),
        (C("a").list.eval(E.cum_prod()), LIST),
        (C("a").list.eval(E.diff()), LIST),
        (C("a").cumulative_eval(E.sum()), INT),
        (C("a", "b") * 2, (INT, INT)),
        (C("a").fill_null(2**70), INT),
        (C("a").replace({1: 1.5}), INT),
        (C("a") + timedelta(microseconds=1), MS),
        (C("a") > datetime(2024, 1, 1, microsecond=1), MS),
    ],
    ids=str,
)
def test_what_cannot_be_told_is_refused_before_it_runs(expression: pl.Expr, kind: Any) -> None:
    with pytest.raises(ConfigurationError) as error:
        compiled(expression, columns(kind))
    assert error.value.what_to_do


@pytest.mark.parametrize(
    ("expression", "kind"),
    [
        (C("a").list.eval(E / 2), LIST),
        (C("a") * 0.5, pl.List(pl.Float64)),
        (C("a").replace({1: 2}), INT),
        (C("a").replace({1: 2.0}), INT),
        (C("a") + timedelta(milliseconds=1), MS),
        (C("a") > datetime(2024, 1, 1), MS),
        (C("a").list.eval(E.sort()), LIST),
        (C("a").list.eval(E.rank()), LIST),
        (C("a").list.mean(), LIST),
    ],
    ids=str,
)
def test_what_is_exact_is_not_refused(expression: pl.Expr, kind: Any) -> None:
    compiled(expression, columns(kind))


@pytest.mark.parametrize(
    ("expression", "bad"),
    [
        (rs.col("n").cast(MS).cast(US), TOP),
        (rs.col("n").cast(TINY) * 2, 128),
        (rs.col("n").cast(TINY) * 2, 100),
    ],
    ids=str,
)
def test_a_row_that_polars_cannot_compute_goes_by_the_policy(expression: pl.Expr, bad: int) -> None:
    p = rs.Pipeline("job")
    rows = p.read(rs.Rows([]), schema={"n": "int", "ts": "int"}, event_time="ts", name="in")
    made = rows.with_columns(m=expression, errors="dlq")
    made.write(rs.Collect(), name="out")
    made.errors.write(rs.Collect(), name="dead")
    found = feed(p, {"in": [{"n": n, "ts": 1} for n in (1, bad, 2)]})
    assert [row["n"] for row in found["out"]] == [1, 2]
    assert len(found["dead"]) == 1
