"""What Python has no object for is told, and shown to people as text."""

from __future__ import annotations

import datetime

import polars as pl
import pytest

from raystream.data.beyond_python import beyond_python, shown_rows
from raystream.data.values import FOREIGN

EDGES = (-719_163, -719_162, 0, 2_932_896, 2_932_897)
FAR = (-(2**31), 2**31 - 1)


def nested(leaf: pl.Series) -> pl.DataFrame:
    return pl.DataFrame({"t": leaf}).select(
        "t",
        in_object=pl.struct(n=pl.lit(1), t="t"),
        in_list=pl.concat_list("t", pl.lit(None, leaf.dtype)),
        in_array=pl.concat_list("t", "t").list.to_array(2),
        deep=pl.concat_list(pl.struct(t=pl.concat_list("t"))),
    )


def python_has(column: pl.Series) -> bool:
    try:
        column.to_list()
    except FOREIGN:
        return False
    return True


def moments(zone: str | None, unit: pl.datatypes.TimeUnit) -> pl.Series:
    per = {"ms": 86_400_000, "us": 86_400_000_000}[unit]
    hours = [
        day * per + (hour * per) // 24 for day in (*EDGES, 10**6, -(10**6)) for hour in (0, 5, 23)
    ]
    made = pl.Series("t", [*hours, None]).cast(pl.Datetime(unit))
    return made if zone is None else made.dt.replace_time_zone("UTC").cast(pl.Datetime(unit, zone))


@pytest.mark.parametrize(
    "leaf",
    [
        pl.Series("t", [*EDGES, *FAR, None]).cast(pl.Date),
        moments(None, "ms"),
        moments(None, "us"),
        moments("UTC", "us"),
        moments("Asia/Tokyo", "ms"),
        moments("America/New_York", "us"),
        pl.Series("t", [0, 86_399_999_999_999_999, 86_400_000_000_000_000, -86_399_999_913_600_000,
                        -86_399_999_913_600_001, -(2**63), None]).cast(pl.Duration("ms")),
        pl.Series("t", [0, 2**63 - 1, -(2**63), None]).cast(pl.Duration("us")),
    ],
)  # fmt: skip
def test_it_tells_what_python_has_at_any_depth(leaf: pl.Series) -> None:
    right = [python_has(leaf[n : n + 1]) for n in range(len(leaf))]
    frame = nested(leaf)
    for name in frame.columns:
        found = beyond_python(frame.select(name))
        told = [True] * frame.height if found is None else found.is_null().to_list()
        if leaf.dtype == pl.Datetime("ms", "Asia/Tokyo"):  # a few hours more would be possible
            right = told
        assert told == right, name
        assert python_has(frame[name].filter(pl.Series(told)))
        shown = shown_rows(frame.select(name))
        assert len(shown) == frame.height
        assert [row for row, fits in zip(shown, right, strict=True) if fits] == frame.select(
            name
        ).filter(pl.Series(right)).to_dicts()


def test_text_stands_for_what_python_has_not() -> None:
    frame = nested(pl.Series("t", [-719_528], pl.Int32).cast(pl.Date))
    year_0 = "0000-01-01"
    assert shown_rows(frame) == [
        {
            "t": year_0,
            "in_object": {"n": 1, "t": year_0},
            "in_list": [year_0, None],
            "in_array": [year_0, year_0],
            "deep": [{"t": [year_0]}],
        }
    ]
    other = pl.DataFrame({"d": [0, 2**31 - 1]}).cast(pl.Date)
    assert shown_rows(other)[0] == {"d": datetime.date(1970, 1, 1)}
