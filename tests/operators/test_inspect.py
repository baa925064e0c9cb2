"""inspect: the function sees every row once, and changes nothing."""

from __future__ import annotations

import sys
from typing import Any

import polars as pl
import pytest

import raystream as rs
from raystream.data.batch import TIME
from raystream.data.schema import Schema
from raystream.errors import ConfigurationError, DataError, UserCodeError
from raystream.testing import feed
from tests.steps import Inspect, output_schema

ROWS = pl.DataFrame({"n": [1, 2, None], "tags": [["a"], [], None], TIME: [1, 2, 3]})


def test_each_row_is_seen_and_none_is_changed(harness: Any) -> None:
    seen: list[Any] = []

    def look(row: dict[str, Any]) -> None:
        seen.append(dict(row))
        row["n"] = 99
        row.setdefault("tags", []).append("mine") if row["tags"] else None

    task = harness(Inspect(look)).process(ROWS)
    assert [row["n"] for row in seen] == [1, 2, None]
    assert task.take(hidden=True) == ROWS.to_dicts()


def test_each_batch_is_seen_and_none_is_changed(harness: Any) -> None:
    seen: list[Any] = []

    def look(frame: pl.DataFrame) -> None:
        seen.append(frame.clone())
        frame[0, "n"] = 99
        frame.insert_column(0, pl.Series("more", [0, 0, 0]))

    task = harness(Inspect(look, "polars")).process(ROWS)
    assert [frame.to_dicts() for frame in seen] == [ROWS.drop(TIME).to_dicts()]
    assert task.take(hidden=True) == ROWS.to_dicts()


def test_a_function_that_raises_is_told_with_its_line_and_row(harness: Any) -> None:
    def look(row: Any) -> None:
        if row["n"] == 2:
            raise ValueError("two")

    for step in (Inspect(look), Inspect(lambda frame: look(frame.row(1, named=True)), "polars")):
        with pytest.raises(UserCodeError, match="ValueError: two") as error:
            harness(step).process(ROWS)
        assert error.value.where == f"{__file__}:{look.__code__.co_firstlineno + 2}"
    with pytest.raises(UserCodeError, match="correct the function, or take this step out"):
        harness(Inspect(look)).process(ROWS)


def test_rows_that_no_dict_holds_are_told(harness: Any) -> None:
    fine = pl.DataFrame({"t": pl.Series([1000, 1001]).cast(pl.Datetime("ns"))})
    with pytest.raises(DataError, match="look at batches: batch_format='polars'"):
        harness(Inspect(print)).process(fine)
    seen: list[Any] = []
    harness(Inspect(seen.append, "polars")).process(fine)
    harness(Inspect(seen.append)).process(fine[:1])
    assert seen[1] == fine.row(0, named=True)


@pytest.mark.parametrize("parallelism", [1, 2])
def test_a_job_calls_it_once_for_each_row_and_not_to_learn_types(parallelism: int) -> None:
    seen: list[int] = []
    p = rs.Pipeline("looked-at")
    rows = p.read(rs.Rows([]), name="in", schema={"n": "int"})
    rows.inspect(lambda row: seen.append(row["n"])).map(lambda row: {"m": row["n"] + 1}).write(
        rs.Collect(), name="out"
    )
    out = feed(p, {"in": [{"n": n} for n in range(50)]}, parallelism=parallelism)["out"]
    assert sorted(seen) == list(range(50))
    assert sorted(row["m"] for row in out) == list(range(1, 51))


def test_mistakes_are_told(monkeypatch: pytest.MonkeyPatch) -> None:
    rows = rs.Pipeline("mistakes").read(rs.Rows([{"n": 1}]))
    with pytest.raises(ConfigurationError, match="inspect"):
        rows.inspect("print")  # type: ignore[arg-type]
    with pytest.raises(ConfigurationError, match="batch_format 'numpy' is unknown"):
        rows.inspect(print, batch_format="numpy")
    monkeypatch.setitem(sys.modules, "pyarrow", None)
    with pytest.raises(ConfigurationError, match="inspect: batch_format='pyarrow' needs pyarrow"):
        output_schema(Inspect(print, "pyarrow"), [Schema.of({"n": "int"})])
