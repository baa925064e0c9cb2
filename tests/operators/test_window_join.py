"""Window joins against plain Python: kinds, windows, lateness, cuts, restarts, rescales."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any
from unittest.mock import patch

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import raystream as rs
from raystream.config.load import load
from raystream.config.to_python import to_python
from raystream.errors import ConfigurationError
from raystream.graph.windows import Cumulative, Hopping, Tumbling, Window
from raystream.operators.joins.kinds import JoinKind
from raystream.operators.window import slices
from raystream.operators.window_join import operator
from raystream.verify.evaluate import evaluate
from raystream.verify.windows import windows_of
from tests import steps
from tests.operators.joining import ON, Model, Row, Subtasks
from tests.operators.test_interval_join import EVENT, KINDS, in_order, played, rows_of

WINDOWS = st.sampled_from(
    [Tumbling(10), Tumbling(7, 3), Hopping(20, 10), Hopping(15, 5, 2), Cumulative(20, 10)]
)


class Windows(Model):
    """A join of each window, when it is over."""

    def __init__(self, kind: JoinKind, window: Window) -> None:
        super().__init__(kind, lambda left: (-(2**61), 2**61), lambda port, row: 0)
        self.window = window

    def process(self, port: int, rows: list[Row]) -> None:  # type: ignore[override]
        for row in rows:
            if max(end for _, end in windows_of(self.window, row[-1])) <= self.now:
                self.late += 1
            else:
                self.kept[port].append([row, False])

    def watermark(self, time: int) -> None:
        before, self.now = self.now, max(time, self.now)
        self.close(lambda end: before < end <= self.now)

    def end(self) -> None:
        self.close(lambda end: end > self.now)

    def close(self, ends: Callable[[int], bool]) -> None:
        found: dict[tuple[int, int], tuple[list[Row], list[Row]]] = {}
        for port, kept in enumerate(self.kept):
            for row, _ in kept:
                for window in windows_of(self.window, row[-1]):
                    if ends(window[1]):
                        found.setdefault(window, ([], []))[port].append(row)
        for window, (left, right) in found.items():
            inner = Model(self.kind, self.bounds, lambda port, row: 2**61)
            inner.process(0, left)
            inner.process(1, right)
            inner.end()
            self.rows += [(*row[:-1], *window, window[1] - 1) for row in inner.rows]


@patch.object(operator, "PIECE", 2)
@patch.object(slices, "SLICE_ROWS", 4)
@settings(max_examples=60)
@given(st.lists(EVENT, max_size=14), KINDS, WINDOWS)
def test_rows_of_the_same_window_meet(
    events: list[tuple[str, Any]], kind: JoinKind, window: Window
) -> None:
    subtasks, model = Subtasks(steps.WindowJoin(ON, kind, window=window), 2), Windows(kind, window)
    played(subtasks, model, events)
    rows = [(*row[:-3], *row[-2:], row[-3]) for row in subtasks.output.rows]
    assert in_order([(*row[:-3], *row[-3:-1], row[-2] - 1) for row in rows]) == in_order(model.rows)
    assert subtasks.counted == model.late == len(subtasks.output.late)


@pytest.mark.parametrize("parallelism", [1, 4])
def test_a_whole_job_and_its_oracle(parallelism: int, tmp_path: Path) -> None:
    sources = {"a": rows_of(1, "n", 80), "b": rows_of(2, "m", 80)}
    storage = str(tmp_path / "storage")
    p = rs.Pipeline("pairs", checkpoint_storage=storage, parallelism=parallelism)
    a, b = (p.read(rs.Rows(rows), event_time="at", name=n) for n, rows in sources.items())
    outs = {}
    for how in JoinKind:
        window = rs.hopping("10s", "5s") if how is JoinKind.FULL else rs.tumbling("10s")
        outs[how] = rs.Collect()
        a.join(b, "k", window=window, how=how, name=how).write(outs[how], name=f"out-{how}")
    p.run(until="latest", local=True)
    expected = evaluate(p.graph(), sources)
    for name, out in outs.items():
        wanted = expected[f"out-{name}"]
        assert wanted
        columns = list(wanted[0])
        assert in_order([tuple(row[c] for c in columns) for row in out.rows()]) == in_order(
            [tuple(row.values()) for row in wanted]
        )


def test_a_window_of_a_joined_window_counts_its_rows() -> None:
    rows = [{"k": n % 2, "at": n * 1000} for n in range(20)]
    p = rs.Pipeline("windows", parallelism=2)
    read = p.read(rs.Rows(rows), event_time="at")
    joined = read.join(read, "k", window=rs.tumbling("10s"))
    counts = joined.drop("window_start", "window_end").window(rs.tumbling("10s")).agg(n=rs.count())
    assert counts.collect().sort("window_start", "k").select("k", "n").rows() == [
        (0, 25), (1, 25), (0, 25), (1, 25)
    ]  # fmt: skip


def test_keys_that_are_floats_or_categories() -> None:
    types = {"f": pl.Float64(), "c": pl.Categorical(), "at": pl.Int64()}
    p = rs.Pipeline("odd", parallelism=3)
    left = p.read(
        rs.Rows([{"f": f, "c": c, "at": 5} for f in (0.0, float("nan"), None) for c in "xy"]),
        event_time="at",
        name="left",
    )
    right = p.read(
        rs.Rows([{"f": f, "c": c, "at": 5} for f in (-0.0, float("nan"), None) for c in "yxz"]),
        event_time="at",
        name="right",
    ).map_batches(lambda frame: frame.cast({"c": pl.Categorical()}), schema=types)
    for within in ({"window": rs.tumbling("1m")}, {"within": "0s"}, {}):
        got = left.join(right, ["f", "c"], **within).collect()
        assert sorted(map(str, got.select("f", "c").rows())) == [
            "(0.0, 'x')", "(0.0, 'y')", "(nan, 'x')", "(nan, 'y')"
        ]  # fmt: skip


def test_a_window_in_yaml_and_in_python(tmp_path: Path) -> None:
    path = tmp_path / "p.yaml"
    path.write_text(
        f"""
version: 1
name: new-users
sources:
  person: {{files: {{path: {tmp_path}/a}}, event_time: at, schema: {{id: int, at: int}}}}
  auction: {{files: {{path: {tmp_path}/b}}, event_time: at, schema: {{seller: int, at: int}}}}
steps:
  - join: auction
    from: person
    keys: {{id: seller}}
    window: {{tumbling: 10s}}
    how: semi
sink: {{files: {{path: {tmp_path}/out}}}}
"""
    )
    p = load(path).pipeline
    assert "semi join on id = seller, tumbling 10s" in p.explain()
    assert 'how="semi", window=rs.tumbling("10s"))' in to_python(p)
    path.write_text(path.read_text().replace("tumbling: 10s", "tumbling: 0s"))
    with pytest.raises(ConfigurationError, match=r"p.yaml:11:13: steps.0..window: size must be"):
        load(path)


def test_a_column_called_like_the_window_is_refused() -> None:
    rows = rs.Pipeline("taken").read(rs.Rows([]), schema={"k": "int", "window_end": "int"})
    with pytest.raises(ConfigurationError, match="a column 'window_end' of its window"):
        rows.join(rows, "k", window=rs.tumbling("1m"))
