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
from raystream.data.changes import Changes, RowKind
from raystream.errors import ConfigurationError
from raystream.operators.asof_join import operator
from raystream.operators.joins.kinds import JoinKind
from raystream.testing import CRASH, feed
from raystream.verify.evaluate import evaluate
from raystream.verify.rows import TIME
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


class Ending(Versions):
    """Versions with their kind behind the time; those that are gone end the one before."""

    def process(self, port: int, rows: list[Row]) -> None:  # type: ignore[override]
        for row in rows:
            if not port:
                super().process(port, [row])
            elif row[0] is not None and row[-1] not in (None, RowKind.UPDATE_BEFORE):
                ended = row[-1] == RowKind.DELETE
                self.add_version((*row[:-2], ended, row[-2]))

    def version(self, row: Row) -> None:
        before = [v for v in self.held.get(row[0], []) if v[-1] <= row[-1]]
        found = max(reversed(before), key=lambda v: v[-1], default=None)
        if found is not None and (
            found[-2] or (self.within is not None and row[-1] - found[-1] > self.within)
        ):
            found = None
        if found is not None or self.kind is JoinKind.LEFT:
            self.give(row, None if found is None else (*found[:-2], found[-1]))


KIND_OF = st.sampled_from([None, *RowKind])


@patch.object(operator, "PIECE", 2)
@settings(max_examples=15, deadline=None)
@given(st.lists(EVENT, max_size=14), KINDS, st.sampled_from([None, 0, 12]), st.data())
def test_a_record_that_removes_a_row_ends_its_version(
    events: list[tuple[str, Any]], kind: JoinKind, within: int | None, data: Any
) -> None:
    with_kinds = [
        (what, [(*row, data.draw(KIND_OF)) for row in value] if what == "right" else value)
        for what, value in events
    ]
    step = steps.AsofJoin(ON, kind, within_ms=within, deletes=True)
    subtasks, model = Subtasks(step, 2, (None, Changes(("j",)))), Ending(kind, within)
    played(subtasks, model, with_kinds)
    assert in_order(subtasks.output.rows) == in_order(model.rows)
    assert subtasks.counted == model.late == len(subtasks.output.late)


def sales(parallelism: int) -> rs.Pipeline:
    kafka = rs.Kafka("kafka:9092")
    p = rs.Pipeline("versions", parallelism=parallelism)
    columns = {"code": "string", "rate": "int"}
    rates = p.read(kafka.topic("rates"), changes="upsert", key="code", schema=columns, name="rates")
    columns = {"code": "string", "at": "int"}
    sold = p.read(kafka.topic("sold"), event_time="at", schema=columns, name="sold")
    sold.asof_join(rates, "code", how="left").write(rs.Collect(), name="out")
    return p


SOLD: list[Any] = [{"code": c, "at": at} for at in range(0, 40, 3) for c in "abc"]


def test_versions_of_a_table_end_in_plain_python() -> None:
    times = [(5, "a", 1), (8, "b", 2), (10, "a", None), (20, "a", 3), (30, "b", None)]
    records = [
        {"code": code, "rate": rate, "op": "delete" if rate is None else "update_after", TIME: at}
        for at, code, rate in times
    ]
    found = evaluate(sales(1).graph(), {"rates": records, "sold": SOLD})["out"]
    for row in found:
        before = [r for t, c, r in times if c == row["code"] and t <= row["at"]]
        assert row["rate"] == (before[-1] if before else None)


@pytest.mark.parametrize("parallelism", [1, 3])
def test_a_compacted_topic_is_a_table_of_versions(parallelism: int) -> None:
    records: list[Any] = [
        {"code": "a", "rate": 1},
        {"code": "b", "rate": 2},
        {"op": "delete", "code": "b"},
        {"code": "a", "rate": 3},
    ]
    sold: list[Any] = [{**row, "at": row["at"] + 1_000_000} for row in SOLD]
    given = {"rates": [*records[:3], CRASH, *records[3:]], "sold": [*sold[:9], CRASH, *sold[9:]]}
    found = feed(sales(1), given, parallelism=parallelism, wall_ms=0)["out"]
    assert {row["code"]: row["rate"] for row in found} == {"a": 3, "b": None, "c": None}
    assert len(found) == len(SOLD)


@pytest.mark.parametrize(
    ("build", "said"),
    [
        (lambda p, a, t: a.asof_join(t, {"k": "m"}), "told apart by k, not by m"),
        (lambda p, a, t: a.asof_join(t.filter("m > 1"), "k"), "itself, and filter"),
        (lambda p, a, t: a.asof_join(a.key_by("k").aggregate(m=rs.count()), "k"), "only added"),
        (lambda p, a, t: a.asof_join(timed(p), "k"), "leave event_time= of this read out"),
    ],
)
def test_tables_that_have_no_versions_are_refused(build: Any, said: str) -> None:
    p = rs.Pipeline("versions")
    a = p.read(rs.Rows([{"k": 1, "at": 1}]), event_time="at", schema={"k": "int", "at": "int"})
    topic = rs.Kafka("kafka:9092").topic("t")
    schema = {"k": "int", "m": "int"}
    table = p.read(topic, changes="upsert", key="k", schema=schema)
    with pytest.raises(ConfigurationError, match=said):
        build(p, a, table)


def timed(p: rs.Pipeline) -> rs.Stream:
    topic = rs.Kafka("kafka:9092").topic("u")
    schema = {"k": "int", "m": "int"}
    return p.read(topic, changes="upsert", key="k", schema=schema, event_time="m")


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
