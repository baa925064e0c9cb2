"""A field that comes after the columns were learnt: told, counted, and usable by declaring it."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

import raystream as rs
from raystream.api.checks.check import check
from raystream.connectors.collect import Collect
from raystream.observe.live_line import live_line
from raystream.observe.live_lines import live_lines
from tests.runs import Running, running

NOW = 1_700_000_000_000


@pytest.fixture
def inbox(tmp_path: Path) -> Path:
    place = tmp_path / "in"
    place.mkdir()
    return place


def _put(inbox: Path, name: str, *rows: dict[str, Any]) -> None:
    lines = [json.dumps({"ts": NOW + n, **row}) + "\n" for n, row in enumerate(rows)]
    hidden = inbox / f".{name}"
    hidden.write_text("".join(lines))
    hidden.replace(inbox / name)


def _job(inbox: Path, schema: Any = None, out: Any = None) -> rs.Pipeline:
    storage = str(inbox.parent / "checkpoints")
    p = rs.Pipeline("late-fields", checkpoint_storage=storage, checkpoint_interval="50ms")
    source = rs.Files(inbox / "*.jsonl", tail=True, discovery_interval="50ms")
    rows = p.read(source, name="in", schema=schema, event_time="ts")
    counts = rows.key_by("k").window(rs.tumbling("1m")).agg(n=rs.count())
    counts.write(out or Collect(), name="out")
    return p


def test_it_is_counted_by_name(inbox: Path) -> None:
    _put(inbox, "1.jsonl", {"k": "a"}, {"k": "b"})
    with running(_job(inbox), inbox.parent / "checkpoints") as run:
        run.until(lambda: _read(run) == 2)
        _put(inbox, "2.jsonl", *[{"k": "a", "age": 1}] * 3, {"k": "b", "age": 2, "city": "x"})
        run.until(lambda: _read(run) == 6)
        outcome = run.stop()
    assert outcome.counters["unknown_fields"] == 5
    status = run.status
    assert status is not None
    (step,) = [step for step in status.steps if step.is_source]
    assert (step.unknown_fields, step.unknown_names) == (5, ("age", "city"))
    assert [name for name in step.counters if "unknown" in name] == ["unknown_fields"]
    (note,) = status.notes
    assert note.endswith(
        "no column takes the fields age, city; declare them in schema= to use them"
    )
    assert "unknown fields 5+" in live_line(status)
    assert "age, city   seen at least 5" in "".join(
        text for line in live_lines(status) for text, _ in line
    )


def test_the_run_and_the_check_say_the_same(
    inbox: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    _put(inbox, "1.jsonl", {"k": "a"}, {"k": "a", "age": 1})
    job = _job(inbox, {"k": "string", "ts": "int"})
    job.run(local=True, until="latest")
    told = [line for line in capsys.readouterr().err.splitlines() if "no column takes" in line]
    said = "no column takes the field age"
    assert told == [f"warning: files {inbox}/*.jsonl: {said}; declare it in schema= to use it"]
    findings = check(job, None, lambda finding: None)
    assert said in [finding.text for finding in findings]


def _read(run: Running) -> int:
    return 0 if run.status is None else run.status.rows_read


def test_declared_it_is_used_and_no_state_is_lost(inbox: Path) -> None:
    store = inbox.parent / "checkpoints"
    _put(inbox, "1.jsonl", {"k": "a"}, {"k": "a"}, {"k": "b"})
    with running(_job(inbox), store) as run:
        run.until(lambda: _read(run) == 3)
        run.stop()
    _put(inbox, "2.jsonl", {"k": "a", "age": 7}, {"k": "c", "age": 8})
    out = Collect()
    more = {"k": "string", "ts": "int", "age": "int"}
    outcome = _job(inbox, more, out).run(local=True, until="latest")
    assert outcome.counters["unknown_fields"] == 0
    assert {row["k"]: row["n"] for row in out.rows()} == {"a": 3, "b": 1, "c": 1}


def test_columns_of_csv_and_parquet_too(inbox: Path) -> None:
    import polars as pl

    (inbox / "1.csv").write_text("k,more\na,1\nb,2\n")
    for form, name in (("csv", "1.csv"), ("parquet", "1.parquet")):
        if form == "parquet":
            pl.DataFrame({"k": ["a", "b"], "more": [1, 2]}).write_parquet(inbox / name)
        p = rs.Pipeline(form, checkpoint_storage=str(inbox.parent / "checkpoints"))
        rows = p.read(rs.Files(inbox / name, format=form), schema={"k": "string"})
        rows.write(rs.Files(inbox.parent / form))
        assert p.run(local=True, until="latest").counters["unknown_fields"] == 2
