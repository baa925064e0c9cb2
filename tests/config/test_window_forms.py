"""Windows in pipeline files, and what Python writes of them."""

from __future__ import annotations

from pathlib import Path

import pytest

from raystream.config.load import load
from raystream.config.place import InvalidFile
from raystream.config.to_python import to_python
from raystream.graph.over import Lag, RowNumber
from raystream.graph.policies import OnUpdate
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
        ("{}", "an aggregate needs the rows that it is over"),
    ],
)
def test_a_frame_that_cannot_be_is_told(tmp_path: Path, over: str, said: str) -> None:
    with pytest.raises(InvalidFile, match=said):
        steps(tmp_path, f"steps: [{{over: {over}, aggregate: {{m: sum(n)}}}}]")


@pytest.mark.parametrize("window", ["tumbling: 1m", "session: 30s"])
def test_windows_may_change_with_every_batch(tmp_path: Path, window: str) -> None:
    text = f"steps: [{{window: {{{window}}}, aggregate: {{n: count()}}, emit: on_update}}]"
    _, step, _ = steps(tmp_path, text, sink=", changes: log")
    assert step.emit == OnUpdate()
    (call, _) = step.calls()
    assert call.options == {"emit": "on_update"}
