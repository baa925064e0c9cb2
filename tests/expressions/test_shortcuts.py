"""What is known before rows are looked at, and what is written out, gives the same as the long way."""

from __future__ import annotations

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import raystream as rs
from raystream.expressions.compiled import compiled

EDGES = [0, 1, 9, 10, 999, 1000, 2**31, 10**15, 10**18, 2**62, 2**63 - 1]
NUMBERS = st.sampled_from([*EDGES, *(-n for n in EDGES), -(2**63)])
COLUMNS = {"n": pl.Int64(), "m": pl.Int64(), "s": pl.String()}
CHECKED = (
    "CAST(n AS DECIMAL(20, 0)) * 0.908",
    "CAST(n AS DECIMAL(5, 2))",
    "CAST(n AS DECIMAL(38, 19)) * CAST(m AS DECIMAL(38, 19))",
    "CAST(n AS DECIMAL(38, 18)) + 0.5",
    "CAST(n AS INTEGER) + m",
    "CAST(n AS TIMESTAMP)",
    "length(s) - n",
    "hour(CAST(n AS TIMESTAMP)) * 1000",
)


@settings(max_examples=12, deadline=None)
@given(rows=st.lists(st.tuples(NUMBERS, NUMBERS), min_size=1, max_size=4))
@pytest.mark.parametrize("text", CHECKED)
def test_rows_that_cannot_fail_by_their_limits_do_not(
    text: str, rows: list[tuple[int, int]]
) -> None:
    found = compiled(text, COLUMNS)
    frame = pl.DataFrame(
        {"n": [n for n, _ in rows], "m": [m for _, m in rows], "s": ["é"] * len(rows)}
    )
    limits = {name: (min(frame[name]), max(frame[name])) for name in ("n", "m")}
    assert found.never is not None
    assert found.error is not None
    if found.never(limits):
        assert frame.select(found.error).to_series().null_count() == len(rows)


@pytest.mark.parametrize(
    ("text", "fits", "does_not"),
    [
        ("CAST(n AS DECIMAL(5, 2))", 999, 1000),
        ("CAST(n AS DECIMAL(20, 0)) * 0.908", 2**63 - 1, None),
        ("CAST(n AS TIMESTAMP)", 253_402_300_799_999, 253_402_300_800_000),
        ("CAST(n AS INTEGER)", 2**31 - 1, 2**31),
        ("length(s) - length(replace(s, 'c', ''))", 2**63 - 1, None),
    ],
)
def test_limits_tell_where_the_check_of_rows_is_left_out(
    text: str, fits: int, does_not: int | None
) -> None:
    never = compiled(text, COLUMNS).never
    assert never is not None
    assert never({"n": (0, fits)})
    assert does_not is None or not never({"n": (0, does_not)})


TEXTS = st.one_of(st.none(), st.text("ab/é$1", max_size=6))


@settings(max_examples=20, deadline=None)
@given(
    texts=st.lists(TEXTS, min_size=1, max_size=4),
    by=st.sampled_from(["a", "/", "ab", "$1", "é", "$"]),
    new=st.sampled_from(["", "x", "$1", "${0}", "é"]),
    place=st.sampled_from([-9, -2, -1, 1, 2, 3, 9]),
)
def test_text_that_is_written_out_gives_what_columns_give(
    texts: list[str | None], by: str, new: str, place: int
) -> None:
    size = len(texts)
    frame = pl.DataFrame(
        {"s": texts, "by": [by] * size, "new": [new] * size, "place": [place] * size},
        schema={"s": pl.String, "by": pl.String, "new": pl.String, "place": pl.Int64},
    )
    pairs = {
        f"split_part(s, '{by}', {place})": "split_part(s, by, place)",
        f"replace(s, '{by}', '{new}')": "replace(s, by, new)",
    }
    for written, of_columns in pairs.items():
        one, other = (compiled(text, frame.schema).value for text in (written, of_columns))
        assert frame.select(one.alias("v"))["v"].equals(frame.select(other.alias("v"))["v"])


def test_parts_that_columns_share_are_right_in_each_of_them() -> None:
    rows = rs.Pipeline("shared").read(rs.Rows([{"s": "a/b", "n": 1}, {"s": None, "n": 2}]))
    made = rows.select("n", a="split_part(s, '/', 1)", b="split_part(s, '/', 2)", s="n + 1")
    assert made.with_columns(n="n * 2", m="n * 2 + 1").collect().to_dicts() == [
        {"n": 2, "a": "a", "b": "b", "s": 2, "m": 3},
        {"n": 4, "a": None, "b": None, "s": 3, "m": 5},
    ]
