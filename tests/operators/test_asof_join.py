"""As-of joins against plain Python: versions, lateness, cuts, restarts, rescales."""

from __future__ import annotations

from pathlib import Path
from typing import Any
from unittest.mock import patch

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import raystream as rs
from raystream.config.load import load
from raystream.config.to_python import to_python
from raystream.operators.asof_join import operator
from raystream.operators.joins.kinds import JoinKind
from raystream.verify.evaluate import evaluate
from tests import steps
from tests.operators.joining import ON, Model, Row, Subtasks
from tests.operators.test_interval_join import EVENT, in_order, played, rows_of

KINDS = st.sampled_from([JoinKind.INNER, JoinKind.LEFT])


class Versions(Model):
    """Rows wait for the watermark; versions are all kept, with the moment they came."""

    def __init__(self, kind: JoinKind, within: int | None) -> None:
        super().__init__(kind, lambda left: (0, 0), lambda port, row: 0)
        self.within = within
        self.held: dict[Any, list[Row]] = {}

    def process(self, port: int, rows: list[Row]) -> None:  # type: ignore[override]
        for row in rows:
            if port and row[0] is not None:
                self.add_version(row)
            elif not port and row[-1] < self.now:
                self.late += 1
            elif not port:
                self.kept[0].append([row, False])

    def add_version(self, row: Row) -> None:
        kept = self.held.setdefault(row[0], [])
        passed = [v for v in kept if v[-1] < self.now]
        if row[-1] >= self.now or not passed or row[-1] >= max(v[-1] for v in passed):
            kept.append(row)

    def watermark(self, time: int) -> None:
        self.now = max(self.now, time)
        self.waiting(lambda row: row[-1] < self.now)

    def end(self) -> None:
        self.waiting(lambda row: True)

    def waiting(self, over: Any) -> None:
        for row, _ in self.kept[0]:
            if over(row):
                self.version(row)
        self.kept[0][:] = [one for one in self.kept[0] if not over(one[0])]

    def version(self, row: Row) -> None:
        before = [v for v in self.held.get(row[0], []) if v[-1] <= row[-1]]
        found = max(reversed(before), key=lambda v: v[-1], default=None)
        if found is not None and self.within is not None and row[-1] - found[-1] > self.within:
            found = None
        if found is not None or self.kind is JoinKind.LEFT:
            self.give(row, found)


@patch.object(operator, "PIECE", 2)
@settings(max_examples=30)
@given(st.lists(EVENT, max_size=14), KINDS, st.sampled_from([None, 0, 12]))
def test_each_row_has_the_version_of_its_time(
    events: list[tuple[str, Any]], kind: JoinKind, within: int | None
) -> None:
    subtasks = Subtasks(steps.AsofJoin(ON, kind, within_ms=within), 2)
    model = Versions(kind, within)
    played(subtasks, model, events)
    assert in_order(subtasks.output.rows) == in_order(model.rows)
    assert subtasks.counted == model.late == len(subtasks.output.late)


@pytest.mark.parametrize(("parallelism", "within"), [(1, None), (4, "8s")])
def test_a_whole_job_and_its_oracle(parallelism: int, within: str | None, tmp_path: Path) -> None:
    sources = {"a": rows_of(1, "n", 80), "b": rows_of(2, "m", 40)}
    storage = str(tmp_path / "storage")
    p = rs.Pipeline("versions", checkpoint_storage=storage, parallelism=parallelism)
    a, b = (p.read(rs.Rows(rows), event_time="at", name=n) for n, rows in sources.items())
    out = rs.Collect()
    a.asof_join(b, "k", how="left", within=within, name="asof").write(out, name="out")
    p.run(until="latest", local=True)
    expected = evaluate(p.graph(), sources)["out"]
    assert any(row["m"] is not None for row in expected)
    columns = list(expected[0])
    assert in_order([tuple(row[c] for c in columns) for row in out.rows()]) == in_order(
        [tuple(row.values()) for row in expected]
    )


def test_in_yaml_and_in_python(tmp_path: Path) -> None:
    path = tmp_path / "p.yaml"
    path.write_text(
        f"""
version: 1
name: euros
sources:
  orders: {{files: {{path: {tmp_path}/a}}, event_time: at, schema: {{code: string, at: int}}}}
  rates: {{files: {{path: {tmp_path}/b}}, event_time: at, schema: {{code: string, at: int}}}}
steps:
  - asof_join: rates
    from: orders
    keys: code
    how: left
    within: 1d
sink: {{files: {{path: {tmp_path}/out}}}}
"""
    )
    p = load(str(path)).pipeline
    assert "left join on code, as of its time, versions of 1d" in p.explain()
    assert '.asof_join(rates, on="code", how="left", within="1d")' in to_python(p)
