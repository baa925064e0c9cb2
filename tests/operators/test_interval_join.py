"""Interval joins against plain Python: kinds, bounds, lateness, cuts, restarts, rescales."""

from __future__ import annotations

import random
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
from raystream.operators.joins import pairs
from raystream.operators.joins.kinds import JoinKind
from raystream.verify.evaluate import evaluate
from tests import steps
from tests.operators.joining import ON, Model, Row, Subtasks

KINDS = st.sampled_from(list(JoinKind))
LEFT = st.tuples(
    st.sampled_from([None, -1, 0, 1]),
    st.integers(0, 99),
    st.sampled_from([None, 3, 30, 60]),
    st.integers(0, 60),
)
RIGHT = st.tuples(st.sampled_from([None, -1, 0, 1]), st.integers(0, 99), st.integers(0, 60))
EVENT = st.one_of(
    st.tuples(st.just("left"), st.lists(LEFT, min_size=1, max_size=6)),
    st.tuples(st.just("right"), st.lists(RIGHT, min_size=1, max_size=6)),
    st.tuples(st.just("watermark"), st.integers(0, 25)),
    st.tuples(st.just("restart"), st.sampled_from([1, 2, 3])),
)


def played(subtasks: Subtasks, model: Model, events: list[tuple[str, Any]]) -> None:
    now = 0
    for what, value in events:
        if what == "watermark":
            now += value
            subtasks.watermark(now)
            model.watermark(now)
        elif what == "restart":
            subtasks.restart(value)
        else:
            port = ("left", "right").index(what)
            subtasks.process(port, value)
            model.process(port, value)
    subtasks.end()
    model.end()


small_pieces = patch.object(pairs, "PIECE", 2)


def in_order(rows: list[Row]) -> list[Row]:
    return sorted(rows, key=repr)


@small_pieces
@settings(max_examples=40)
@given(st.lists(EVENT, max_size=14), KINDS, st.tuples(st.integers(-20, 20), st.integers(0, 25)))
def test_constant_bounds(
    events: list[tuple[str, Any]], kind: JoinKind, bounds: tuple[int, int]
) -> None:
    low, high = bounds[0], bounds[0] + bounds[1]
    step = steps.IntervalJoin(ON, kind, low=low, high=high)
    kept = max(high, 0), max(-low, 0)
    subtasks = Subtasks(step, 2)
    model = Model(
        kind,
        lambda left: (left[-1] + low, left[-1] + high),
        lambda port, row: row[-1] + kept[port],
    )
    played(subtasks, model, events)
    assert in_order(subtasks.output.rows) == in_order(model.rows)
    assert subtasks.counted == len(subtasks.output.late)


BOUNDS = st.sampled_from([(0, "end"), (-10, "end"), (5, "end"), ("end", 20), ("a", "end")])


@small_pieces
@settings(max_examples=40)
@given(st.lists(EVENT, max_size=14), KINDS, BOUNDS)
def test_bounds_that_are_columns(
    events: list[tuple[str, Any]], kind: JoinKind, bounds: tuple[int | str, int | str]
) -> None:
    low, high = bounds
    places = {"a": 1, "end": 2}

    def interval(left: Row) -> tuple[int, int] | None:
        first, last = (left[-1] + b if isinstance(b, int) else left[places[b]] for b in bounds)
        if first is None or last is None:
            return None
        return (max(first, left[-1]) if isinstance(low, str) else first), last

    def until(port: int, row: Row) -> int:
        if port:
            return int(row[-1] + (max(-low, 0) if isinstance(low, int) else 0))
        found = interval(row)
        return 2**61 if found is None else max(found[1], row[-1])

    now, on_time = 0, []
    for what, value in events:
        now += value if what == "watermark" else 0
        if what == "left" and kind.tracked(0):  # behind event time they may be late
            on_time.append((what, [row for row in value if row[-1] >= now]))
        else:
            on_time.append((what, value))
    subtasks = Subtasks(steps.IntervalJoin(ON, kind, low=low, high=high), 2)
    model = Model(kind, interval, until)
    played(subtasks, model, on_time)
    assert in_order(subtasks.output.rows) == in_order(model.rows)


def rows_of(seed: int, name: str, rows: int) -> list[dict[str, Any]]:
    made = random.Random(seed)
    return [
        {
            "k": made.choice([None, *range(12)]),
            "at": n * 900 + made.randint(0, 3000),
            name: n,
            "end": n * 900 + made.randint(0, 20_000),
        }
        for n in range(rows)
    ]


@pytest.mark.parametrize(("parallelism", "within"), [(1, ("-4s", "9s")), (4, ("0s", "end"))])
def test_a_whole_job_and_its_oracle(
    parallelism: int, within: tuple[str, str], tmp_path: Path
) -> None:
    sources = {"a": rows_of(1, "n", 80), "b": rows_of(2, "m", 80)}
    storage = str(tmp_path / "storage")
    p = rs.Pipeline("pairs", checkpoint_storage=storage, parallelism=parallelism)
    a, b = (p.read(rs.Rows(rows), event_time="at", name=n) for n, rows in sources.items())
    outs = {}
    for how in JoinKind:
        outs[how] = rs.Collect()
        a.join(b, "k", within=within, how=how, name=how).write(outs[how], name=f"out-{how}")
    outs["self"] = rs.Collect()
    a.join(a, "k", within=within, suffix="_b", name="self").write(outs["self"], name="out-self")
    p.run(until="latest", local=True)
    expected = evaluate(p.graph(), sources)
    for name, out in outs.items():
        wanted = expected[f"out-{name}"]
        assert wanted
        columns = list(wanted[0])
        assert in_order([tuple(row[c] for c in columns) for row in out.rows()]) == in_order(
            [tuple(row.values()) for row in wanted]
        )


def test_a_restart_and_a_rescale_between_two_runs(tmp_path: Path) -> None:
    a, b = rows_of(1, "n", 120), rows_of(2, "m", 120)
    got: list[dict[str, Any]] = []
    for run, width in enumerate([2, 3, 1]):
        for name, rows in (("a", a), ("b", b)):
            part = rows[run * 40 : run * 40 + 40]
            (tmp_path / name).mkdir(exist_ok=True)
            pl.DataFrame(part).write_ndjson(tmp_path / name / f"{run}.jsonl")
        p = rs.Pipeline("pairs", checkpoint_storage=str(tmp_path / "storage"), parallelism=width)
        left, right = (p.read(rs.Files(tmp_path / n), event_time="at", name=n) for n in ("a", "b"))
        left.join(right, "k", within="15s", name="join").write(rs.Files(tmp_path / "out"), name="o")
        p.run(until="latest", local=True)
    for file in (tmp_path / "out").rglob("*.json*"):
        got += pl.read_ndjson(file).to_dicts()
    wanted = [
        (x["n"], y["m"])
        for x in a
        for y in b
        if x["k"] is not None and x["k"] == y["k"] and abs(x["at"] - y["at"]) <= 15_000
    ]
    assert sorted((row["n"], row["m"]) for row in got) == sorted(wanted)


def test_a_join_of_streams_in_yaml_says_the_same_as_python(tmp_path: Path) -> None:
    path = tmp_path / "p.yaml"
    path.write_text(
        f"""
version: 1
name: pairs
sources:
  a: {{files: {{path: {tmp_path}/a}}, event_time: at, schema: {{k: int, at: int, end: int}}}}
  b: {{files: {{path: {tmp_path}/b}}, event_time: at, schema: {{j: int, at: int}}}}
steps:
  - join: b
    from: a
    keys: {{k: j}}
    within: [-5s, end]
    how: left
    suffix: _b
    late: late
    name: both
sinks:
  out: {{files: {{path: {tmp_path}/out}}}}
  late: {{files: {{path: {tmp_path}/late}}}}
"""
    )
    p = load(path).pipeline
    assert "both: left join on k = j within -5s .. end" in p.explain()
    text = to_python(p)
    assert (
        'a.join(b, on={"k": "j"}, how="left", suffix="_b", within=["-5s", "end"], name="both")'
        in text
    )
    made: dict[str, Any] = {"__name__": "made"}
    exec(text, made)
    assert made["p"].explain() == p.explain()
