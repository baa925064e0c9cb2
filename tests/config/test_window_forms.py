"""Windows in pipeline files, and what Python writes of them."""

from __future__ import annotations

from pathlib import Path

import pytest

from raystream.config.load import load
from raystream.config.place import InvalidFile
from raystream.config.to_python import to_python
from raystream.graph.over import Lag, RowNumber
from raystream.graph.policies import OnUpdate
from raystream.graph.windows import CountWindow, GlobalWindow, Session, Trigger
from tests.config.test_compile import steps


def test_rows_before_each_row(tmp_path: Path) -> None:
    aggregate = "{m: sum(n), p: row_number(), b: 'lag(coalesce(n, 1), 2)'}"
    text = f"steps: [{{key_by: ip, over: {{range: 1h}}, ttl: 1d, aggregate: {aggregate}}}]"
    _, key, step, _ = steps(tmp_path, text)
    assert (key.keys, step.keys) == (("ip",), ("ip",))
    assert (step.rows, step.range_ms, step.ttl_ms) == (None, 3_600_000, 86_400_000)
    assert (step.functions["p"], step.functions["b"]) == (RowNumber(), Lag("coalesce(n, 1)", 2))
    python = to_python(load(str(tmp_path / "job.yaml")).pipeline)
    assert '.over(range="1h", ttl="1d")' in python
    assert '.agg(m=rs.sum("n"), p=rs.row_number(), b=rs.lag("coalesce(n, 1)", 2))' in python


@pytest.mark.parametrize(
    ("over", "said"),
    [
        ("{rows: 0}", "is less than 1"),
        ("{rows: 1, range: 1h}", "over takes rows= or range=, not both"),
    ],
)
def test_a_frame_that_cannot_be_is_told(tmp_path: Path, over: str, said: str) -> None:
    with pytest.raises(InvalidFile, match=said):
        steps(tmp_path, f"steps: [{{over: {over}, aggregate: {{m: sum(n)}}}}]")


@pytest.mark.parametrize(
    ("window", "value", "python"),
    [
        ("count: 100", CountWindow(100), "rs.count_window(100)"),
        (
            "count: {size: 100, slide: 10, ttl: 1d}",
            CountWindow(100, 10, 86_400_000),
            'rs.count_window(100, slide=10, ttl="1d")',
        ),
        (
            "global: {count: 5}",
            GlobalWindow(Trigger(5)),
            "rs.global_window(rs.trigger(count=5))",
        ),
        (
            "global: {every: 10s, purge: true, ttl: 1h}",
            GlobalWindow(Trigger(None, 10_000, purge=True), 3_600_000),
            'rs.global_window(rs.trigger(every="10s", purge=True), ttl="1h")',
        ),
    ],
)
def test_windows_that_event_time_does_not_bound(
    tmp_path: Path, window: str, value: object, python: str
) -> None:
    text = f"steps: [{{key_by: ip, window: {{{window}}}, aggregate: {{n: count()}}}}]"
    _, _, step, _ = steps(tmp_path, text)
    assert (step.keys, step.window) == (("ip",), value)
    assert f".window({python})" in to_python(load(str(tmp_path / "job.yaml")).pipeline)


def test_a_function_of_each_window(tmp_path: Path) -> None:
    (tmp_path / "mine.py").write_text("def best(frame):\n    return frame.select('n')\n")
    text = """steps:
  - key_by: ip
    window: {session: 30m}
    window_apply: mine:best
    schema: {n: int}
    allowed_lateness: 5s
    errors: skip"""
    _, _, step, _ = steps(tmp_path, text)
    assert (step.keys, step.window) == (("ip",), Session(1_800_000))
    assert (step.allowed_lateness_ms, str(step.errors)) == (5000, "skip")
    python = to_python(load(str(tmp_path / "job.yaml")).pipeline)
    said = '.window(rs.session("30m"), allowed_lateness="5s", errors="skip")'
    assert said in python
    assert '.apply(mine.best, schema={"n": "int"})' in python


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ("window: {count: 3}, emit: on_update", "emit and allowed_lateness are for windows of"),
        ("window: {count: 3, offset: 1s}", "offset is for windows of event time"),
        ("window: {global: {count: 3, every: 1s}}", "count, every"),
        ("window: {count: {size: 3, slide: 2}}", "is not a multiple of slide"),
    ],
)
def test_options_that_they_have_not_are_told(tmp_path: Path, options: str, said: str) -> None:
    with pytest.raises(InvalidFile, match=said):
        steps(tmp_path, f"steps: [{{{options}, aggregate: {{n: count()}}}}]")


@pytest.mark.parametrize("window", ["tumbling: 1m", "session: 30s"])
def test_windows_may_change_with_every_batch(tmp_path: Path, window: str) -> None:
    text = f"steps: [{{window: {{{window}}}, aggregate: {{n: count()}}, emit: on_update}}]"
    _, step, _ = steps(tmp_path, text, sink=", changes: log")
    assert step.emit == OnUpdate()
    (call, _) = step.calls()
    assert call.options == {"emit": "on_update"}
