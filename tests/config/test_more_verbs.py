"""Verbs of pipeline files that read several streams or outputs of steps, and their twins."""

from __future__ import annotations

import runpy
from pathlib import Path
from typing import Any

import pytest

from raystream.api.pipeline import Pipeline
from raystream.config.load import load
from raystream.config.place import InvalidFile
from raystream.config.to_python import to_python
from tests.config.test_compile import LOADING, meaning

HEAD = """
version: 1
name: job
sources:
  orders: {files: {path: in}, schema: {k: string, n: int, ts: int}, event_time: ts}
  rules: {files: {path: rules}, schema: {k: string, limit: int, ts: int}, event_time: ts}
steps:
"""
MODULE = """
import raystream as rs

def last(one, other):
    return other

class Both(rs.Process):
    n: rs.Value[int]
    def on_left(self, row, ctx): pass
    def on_right(self, row, ctx): pass

class Rules(Both):
    limits: rs.Map[str, int] = rs.state(broadcast=True)

class Odd(rs.Process):
    def on_row(self, row, ctx): pass

both, rules, made = Both(), Rules(), Odd()
"""


def loaded(tmp_path: Path, steps: str, sinks: str = "out: {files: {path: out}}") -> Pipeline:
    """The pipeline of a file, which is the same when it is written as Python."""
    (tmp_path / "more_verbs_job.py").write_text(MODULE)
    path = tmp_path / "job.yaml"
    path.write_text(f"{HEAD}{steps}\nsinks:\n  {sinks}\n")
    pipeline = load(str(path), LOADING).pipeline
    script = tmp_path / "twin.py"
    script.write_text(to_python(pipeline))
    assert meaning(runpy.run_path(str(script))["p"]) == meaning(pipeline)
    return pipeline


def refused(tmp_path: Path, steps: str) -> str:
    with pytest.raises(InvalidFile) as error:
        loaded(tmp_path, steps)
    return str(error.value)


def steps_of(pipeline: Pipeline, word: str) -> list[Any]:
    return [node.step for node in pipeline.graph().nodes if node.step.word == word]


COLUMNS = "schema: {k: string}"


def test_a_process_reads_two_streams(tmp_path: Path) -> None:
    keyed = "  - {from: rules, key_by: k, name: keyed}\n  - {from: orders, key_by: k}\n"
    both = f"  - {{process: more_verbs_job:both, with: keyed, {COLUMNS}}}"
    (step,) = steps_of(loaded(tmp_path, keyed + both), "process_with")
    assert (step.keys, step.others, step.broadcast) == (("k",), ("k",), False)
    text = refused(tmp_path, keyed + both.replace("with: keyed", "with: orders"))
    assert "the other stream has no key" in text
    assert "job.yaml:10:" in text
    text = refused(tmp_path, keyed + both.replace("with: keyed", "with: keye"))
    assert "did you mean 'keyed'?" in text


def test_a_process_has_broadcast_rows(tmp_path: Path) -> None:
    keyed = "  - {from: orders, key_by: k}\n"
    ruled = f"  - {{process: more_verbs_job:rules, with: rules, broadcast: true, {COLUMNS}}}"
    (step,) = steps_of(loaded(tmp_path, keyed + ruled), "process_with")
    assert (step.others, step.broadcast) == ((), True)
    assert "needs with:" in refused(tmp_path, keyed + ruled.replace("with: rules, ", ""))
    assert "is broadcast, but no" in refused(tmp_path, keyed + ruled.replace("true", "false"))


def test_top_and_reduce_are_verbs_of_streams_and_windows(tmp_path: Path) -> None:
    text = "  - {from: orders, key_by: k, name: keyed}\n"
    window = "window: {tumbling: 1m}, allowed_lateness: 5s"
    text += f"  - {{from: keyed, top: 3, by: n, rank: place, {window}, late: late, name: a}}\n"
    text += (
        "  - {from: orders, key_by: [k], window: {session: 5s}, top: 1, by: [n asc, ts], name: b}\n"
    )
    text += f"  - {{from: keyed, reduce: more_verbs_job:last, {window}, errors: skip, name: c}}\n"
    text += "  - {from: keyed, reduce: more_verbs_job:last, ttl: 1h}\n"
    text += "  - {drop_duplicates: [k, n], within: 1h}\n"
    sinks = "out: {files: {path: out}}\n  late: {files: {path: late}}"
    sinks += "".join(f"\n  out-{name}: {{from: {name}, files: {{path: {name}}}}}" for name in "abc")
    pipeline = loaded(tmp_path, text, sinks)
    first, second = steps_of(pipeline, "window_top")
    assert first.words() == "first 3 of tumbling 1m by k by n desc, with place"
    assert second.words() == "first 1 of session 5s by k by n asc, ts desc"
    (reduced,) = steps_of(pipeline, "window_reduce")
    assert (reduced.words(), reduced.errors) == ("reduce by last of tumbling 1m by k", "skip")
    (running,) = steps_of(pipeline, "reduce")
    assert running.words() == "reduce by last of each k, ttl 1h"
    (dropped,) = steps_of(pipeline, "dedupe")
    assert dropped.columns == ("k", "n")
    wrong = "  - {from: orders, top: 3, by: n, allowed_lateness: 1s}"
    assert "allowed_lateness needs a window" in refused(tmp_path, wrong)
    wrong = f"  - {{from: orders, top: 3, by: n, ttl: 1h, {window}}}"
    assert "ttl is for a verb without a window" in refused(tmp_path, wrong)
    wrong = f"  - {{from: orders, reduce: more_verbs_job:lost, {window}}}"
    assert "did you mean 'last'?" in refused(tmp_path, wrong)


def test_steps_read_branches_and_side_outputs(tmp_path: Path) -> None:
    text = (
        "  - {from: orders, split: {many: {where: n > 1}, one: {where: n = 1, to: one}}, name: s}\n"
    )
    text += "  - {from: s.many, filter: k = 'a', name: a}\n"
    text += "  - {from: rules, join: s.one, keys: k, within: 1s, name: joined}\n"
    text += "  - {from: s, union: [s.many], name: rest}\n"
    text += "  - {from: orders, key_by: k}\n"
    side = "side_outputs: {odd: {schema: {k: string}}}"
    text += f"  - {{process: more_verbs_job:made, {COLUMNS}, {side}, name: p}}\n"
    text += "  - {from: p.odd, filter: k = 'a'}\n"
    sinks = "out: {files: {path: out}}\n  one: {files: {path: one}}"
    names = {"a": "a", "j": "joined", "r": "rest", "p": "p", "m": "s.many"}
    sinks += "".join(f"\n  o-{n}: {{from: {s}, files: {{path: {n}}}}}" for n, s in names.items())
    nodes = loaded(tmp_path, text, sinks).graph().nodes
    by_name = {node.name: node for node in nodes}
    assert [edge.tag for edge in by_name["a"].inputs] == ["many"]
    assert [edge.tag for edge in by_name["joined"].inputs] == ["main", "one"]
    assert [edge.tag for edge in by_name["rest"].inputs] == ["main", "many"]
    assert [edge.tag for edge in by_name["o-m"].inputs] == ["many"]
    wrong = text.replace("from: s.many", "from: s.may")
    assert "did you mean 's.many'?" in refused(tmp_path, wrong)
    early = "  - {from: s.many, filter: n > 1}\n" + text
    assert "step 's.many' is not above" in refused(tmp_path, early)
