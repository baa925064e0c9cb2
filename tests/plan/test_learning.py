"""Types are learnt by calling the user's functions before a run: with each row at most once."""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from typing import Any

import polars as pl
import pytest

import raystream as rs
from raystream.data.batch import TIME
from raystream.data.schema import Schema
from raystream.errors import ConfigurationError
from raystream.plan.learning import learn_functions
from raystream.plan.planner import used

Row = dict[str, Any]
SCHEMA = Schema.of({"n": "int"})


class Counting:
    """Remembers what it was called with."""

    def __init__(self, function: Any) -> None:
        self.function = function
        self.calls: list[Any] = []

    def __call__(self, row: Any) -> Any:
        self.calls.append(row["n"] if isinstance(row, dict) else row.height)
        return self.function(row)


def learnt(build: Any, rows: int, **more: Any) -> dict[str, Schema]:
    p = rs.Pipeline("job")
    build(p.read(rs.Rows([]), schema=SCHEMA, name="in")).write(rs.Collect(), name="out")
    frame = pl.DataFrame(
        {"n": list(range(rows)), TIME: [0] * rows}, schema_overrides={TIME: pl.Int64}
    )
    given = None if not rows else frame
    return learn_functions(used(p.graph()), {}, {}, lambda _: given, **{"strict": True, **more})


def test_a_chain_is_called_once_with_each_row() -> None:
    one = Counting(lambda row: {"n": row["n"], "a": 1})
    two = Counting(lambda row: [{"n": row["n"]}] if row["n"] % 2 else [])
    three = Counting(lambda row: row["n"] > 10)
    batch = Counting(lambda frame: frame.with_columns(b=pl.col("n") * 2))
    key = Counting(lambda row: f"{row['b']}")
    last = Counting(lambda row: {"n": row["n"], "x": 0.5})
    found = learnt(
        lambda rows: (
            rows.map(one, name="one")
            .flat_map(two, name="two")
            .filter(three)
            .map_batches(batch, name="batch")
            .key_by(k=key, name="key")
            .map(last, name="last")
        ),
        1000,
    )
    assert one.calls == list(range(100))
    assert two.calls == one.calls
    assert three.calls == [n for n in two.calls if n % 2]
    assert batch.calls == [len(key.calls)]
    assert key.calls == last.calls == [n for n in three.calls if n > 10]
    assert found["key"].columns == {"k": pl.String()}
    assert found["batch"].columns == {"n": pl.Int64(), "b": pl.Int64()}
    assert found["last"].columns == {"n": pl.Int64(), "x": pl.Float64()}


def test_more_rows_are_looked_at_only_once_too() -> None:
    one = Counting(lambda row: {"n": row["n"], "v": None if row["n"] < 500 else 1.5})
    two = Counting(lambda row: {"n": row["n"], "w": None if row["n"] < 700 else "a"})
    made = Counting(lambda row: {"n": row["n"], "late": "x"})
    found = learnt(
        lambda rows: rows.map(one, name="one").map(two, name="two").map(made, name="made"), 1000
    )
    assert one.calls == two.calls == list(range(1000))
    assert made.calls == list(range(100))
    assert found["one"].columns["v"] == pl.Float64()
    assert found["two"].columns["w"] == pl.String()


def test_a_row_for_which_it_raises_is_left_out_and_not_tried_again() -> None:
    bad = Counting(lambda row: {"n": 1 // (row["n"] % 3)})
    behind = Counting(lambda row: {"n": row["n"]})
    learnt(lambda rows: rows.map(bad).map(behind), 9)
    assert bad.calls == list(range(9))
    assert behind.calls == [1, 0] * 3


def test_expressions_of_a_key_leave_out_rows_before_its_functions() -> None:
    key = Counting(lambda row: row["n"])
    behind = Counting(lambda row: {"n": row["n"]})
    big = 2**62
    learnt(lambda rows: rows.key_by(e=f"n * {big}", k=key).map(behind), 5)
    assert key.calls == behind.calls == [0, 1]


def test_functions_with_declared_types_are_called_only_for_those_behind() -> None:
    declared = Counting(lambda row: {"n": row["n"]})
    learnt(lambda rows: rows.map(declared, schema=SCHEMA), 5)
    assert declared.calls == []
    learnt(lambda rows: rows.map(declared, schema=SCHEMA).map(lambda row: {"m": 1}), 5)
    assert declared.calls == list(range(5))


@pytest.mark.parametrize("strict", [True, False])
def test_rows_that_are_all_filtered_out_tell_nothing_and_that_is_refused(strict: bool) -> None:
    def build(rows: rs.Stream) -> rs.Stream:
        return rows.filter("n > 5000", name="f").map(lambda row: {"n": None, "a": None})

    with pytest.raises(ConfigurationError, match="was null in every row.*declare them: schema="):
        learnt(build, 1000, strict=strict)


@pytest.mark.parametrize(
    ("value", "kind"), [({1, 2}, "set"), (object(), "object"), ((n for n in ()), "generator")]
)
def test_what_no_column_can_hold_is_refused(value: Any, kind: str) -> None:
    with pytest.raises(ConfigurationError, match=f"test_learning.*'v': no column can hold {kind}"):
        learnt(lambda rows: rows.map(lambda row: {"v": value}), 5)


def run(p: rs.Pipeline, tmp_path: Path) -> Any:
    return p.run(until="latest", local=True, checkpoint_storage=str(tmp_path / "state"))


def jsonl(directory: Path, rows: int) -> str:
    directory.mkdir(exist_ok=True)
    lines = [f'{{"n": {n}, "ts": {n}}}\n' for n in range(rows)]
    (directory / "a.jsonl").write_text("".join(lines))
    return str(directory / "*.jsonl")


def test_a_bounded_run_whose_source_is_empty_ends_well_and_the_next_learns(tmp_path: Path) -> None:
    for rows in (0, 3):
        out = rs.Collect()
        p = rs.Pipeline("job")
        read = p.read(rs.Files(jsonl(tmp_path / "in", rows)), event_time="ts")
        keyed = read.map(lambda row: {"k": str(row["n"])}).key_by("k")
        keyed.window(rs.tumbling("1m")).agg(n=rs.count()).write(out)
        assert run(p, tmp_path).kind == "finished"
        assert Counter(row["k"] for row in out.rows()) == Counter(str(n) for n in range(rows))


def test_rows_that_come_while_types_are_learnt_are_left_for_the_next_run(tmp_path: Path) -> None:
    """Where a bounded run ends is known first: then no row can come whose type is not known."""
    order: list[str] = []

    class Empty(rs.Rows):
        def discover(self, *, bounded: bool) -> Any:
            order.append("ends")
            return super().discover(bounded=bounded)

        def learn(self) -> Any:
            order.append("types")
            return super().learn()

    p = rs.Pipeline("job")
    p.read(Empty([]), name="in").map(lambda row: {"k": None}).write(rs.Collect())
    run(p, tmp_path)
    assert order[0] == "ends"
