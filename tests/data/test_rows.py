from __future__ import annotations

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from raystream.data.beyond_python import beyond_python
from raystream.data.rows import Misfit, to_frame, to_rows
from raystream.data.schema import Schema

SCHEMA = Schema.of({"n": "int not null", "x": "float", "s": "string", "l": list[int]})

GOOD = st.fixed_dictionaries(
    {"n": st.integers(-(2**63), 2**63 - 1)},
    optional={
        "x": st.none() | st.floats(allow_nan=False) | st.integers(-(2**50), 2**50),
        "s": st.none() | st.text(),
        "l": st.none() | st.lists(st.none() | st.integers(-5, 5)),
    },
)
BAD = st.sampled_from(
    [{}, {"n": None}, {"n": "1"}, {"n": 1.5}, {"n": 2**63}, {"n": 1, "s": 2}, {"n": 1, "l": ["a"]},
     {"n": 1, "other": 2}, {"n": 1, "x": "2"}]
)  # fmt: skip


@given(st.lists(st.tuples(GOOD, st.just(True)) | st.tuples(BAD, st.just(False)), max_size=20))
def test_rows_that_fit_come_back_and_the_others_are_named(rows: list[tuple[dict, bool]]) -> None:
    fitted = to_frame([row for row, _ in rows], SCHEMA)
    expected = [{name: row.get(name) for name in SCHEMA.columns} for row, good in rows if good]
    assert to_rows(fitted.frame) == expected
    assert [m.index for m in fitted.misfits] == [i for i, (_, good) in enumerate(rows) if not good]
    assert dict(fitted.frame.schema) == dict(SCHEMA.columns)


def test_reasons() -> None:
    rows = [{"n": None}, {"n": 1, "extra": 1}, {"n": 1, "x": "much"}]
    assert to_frame(rows, SCHEMA).misfits == (
        Misfit(0, "column 'n' is null"),
        Misfit(1, "column 'extra' is not in the schema"),
        Misfit(2, "column 'x': 'much' is not Float64"),
    )


@pytest.mark.parametrize("inner", [pl.Datetime("ns"), pl.Duration("ns"), pl.Time()])
def test_nanoseconds_are_found_at_any_depth(inner: pl.DataType) -> None:
    leaf = pl.Series("t", [1000, 1001, None, 2000, 2999]).cast(inner)
    made = pl.DataFrame({"t": leaf}).select(
        "t",
        in_object=pl.struct(n=pl.lit(1), t="t"),
        in_list=pl.concat_list("t", pl.lit(1000).cast(inner)),
        in_array=pl.concat_list("t", "t").list.to_array(2),
        deep=pl.concat_list(pl.struct(t=pl.concat_list("t"))),
    )
    for name in made.columns:
        found = beyond_python(made.select(name))
        assert found is not None
        assert [reason is not None for reason in found] == [False, True, False, False, True]
    empty = pl.DataFrame({"t": [[], None]}, schema={"t": pl.List(inner)})
    assert beyond_python(empty) is None
