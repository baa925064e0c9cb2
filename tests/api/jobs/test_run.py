"""Runs in one process, from the user's verbs to rows in a sink."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

import pytest

import raystream as rs
from raystream.api.jobs.run import Ahead, RunOptions, prepare, storage_of, successful
from raystream.errors import ConfigurationError, Superseded
from raystream.job.spec import JobSpec

ROWS = [{"ts": 1000 * i, "ip": "ab"[i % 2], "status": 200 + i} for i in range(120)]


def counts(p: rs.Pipeline, out: rs.Collect, rows: list[dict[str, object]], **read: object) -> None:
    source = p.read(rs.Rows(rows), event_time="ts", **read)
    source.key_by("ip").window(rs.tumbling("1m")).agg(n=rs.count()).write(out)


def test_learnt_columns_and_the_last_checkpoint(tmp_path: Path) -> None:
    out = rs.Collect()
    p = rs.Pipeline("job", checkpoint_storage=str(tmp_path))
    counts(p, out, ROWS)
    outcome = p.run(until="latest", local=True)
    assert (outcome.kind, outcome.rows_in, outcome.rows_out) == ("finished", 120, 4)
    assert sorted((r["ip"], r["window_start"], r["n"]) for r in out.rows()) == [
        ("a", 0, 30),
        ("a", 60_000, 30),
        ("b", 0, 30),
        ("b", 60_000, 30),
    ]
    again = p.run(until="latest", local=True)
    assert (again.rows_in, again.rows_out) == (0, 0)
    scratch = p.run(until="latest", local=True, from_scratch=True)
    assert (scratch.rows_in, scratch.rows_out) == (120, 4)


def test_columns_may_be_called_like_words_of_sql(tmp_path: Path) -> None:
    out = rs.Collect()
    p = rs.Pipeline("job", checkpoint_storage=str(tmp_path))
    rows = p.read(rs.Rows([{"ts": 1, "order": 2, "a b": 3}]), event_time="ts")
    rows.window(rs.tumbling("1m")).agg({"a b": rs.sum("a b")}, m=rs.max("order")).write(out)
    p.run(until="latest", local=True)
    assert [(row["a b"], row["m"]) for row in out.rows()] == [(3, 2)]


def test_event_time_may_be_a_datetime_of_a_row(tmp_path: Path) -> None:
    out = rs.Collect()
    p = rs.Pipeline("job", checkpoint_storage=str(tmp_path))
    moment = datetime(2024, 1, 1, 0, 0, 59, tzinfo=UTC)
    rows = p.read(rs.Rows([{"at": moment}]), event_time="at")
    rows.window(rs.tumbling("1m")).agg(n=rs.count()).write(out)
    p.run(until="latest", local=True)
    start = 1_704_067_200_000
    assert out.rows() == [{"window_start": start, "window_end": start + 60_000, "n": 1}]


def test_a_bounded_run_over_nothing_finishes(tmp_path: Path) -> None:
    out = rs.Collect()
    p = rs.Pipeline("job", checkpoint_storage=str(tmp_path))
    counts(p, out, [])
    assert p.run(until="latest", local=True).kind == "finished"
    assert out.rows() == []


def test_a_misspelt_column_of_a_learnt_schema_stops_the_submission(tmp_path: Path) -> None:
    p = rs.Pipeline("job", checkpoint_storage=str(tmp_path))
    p.read(rs.Rows(ROWS), event_time="ts").key_by("ipp").write(rs.Collect())
    with pytest.raises(ConfigurationError, match=r"test_run\.py:\d+: no column 'ipp'; did"):
        p.run(until="latest", local=True)


def test_storage_said_to_run_wins(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("RAYSTREAM_CHECKPOINT_STORAGE", "/env")
    named = rs.Pipeline("job", checkpoint_storage="s3://bucket/x")
    assert storage_of(named, RunOptions(checkpoint_storage="/run")) == "/run"
    assert storage_of(named, RunOptions()) == "/env"
    assert storage_of(rs.Pipeline("job"), RunOptions()) == "/env"
    monkeypatch.delenv("RAYSTREAM_CHECKPOINT_STORAGE")
    assert storage_of(named, RunOptions()) == "s3://bucket/x"
    monkeypatch.setenv("HOME", str(tmp_path))
    assert storage_of(rs.Pipeline("job"), RunOptions()) == f"{tmp_path}/.raystream/checkpoints"


def test_the_start_says_where_checkpoints_are(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    p = rs.Pipeline("job")
    counts(p, rs.Collect(), ROWS)
    p.run(until="latest", local=True, checkpoint_storage=str(tmp_path))
    assert f"job: checkpoints in {tmp_path}/job/" in capsys.readouterr().err


def test_what_is_missing_is_waited_for() -> None:
    from raystream.api.samples.learn import learn_schemas

    class Slow(rs.Rows):
        looks = 0

        def learn(self) -> rs.Schema | None:
            Slow.looks += 1
            return super().learn() if Slow.looks > 2 else None

    p = rs.Pipeline("job")
    p.read(Slow(ROWS), name="slow").write(rs.Collect())
    said: list[str] = []
    nodes = [p.graph().nodes[0]]
    found = learn_schemas(nodes, {}, bounded=False, say=said.append, wait=lambda s: None)
    assert found["slow"].names() == ["ts", "ip", "status"]
    assert said == [
        "waiting for the first record of 120 rows in memory: its columns are not declared"
    ]


def test_bad_records_alone_are_waited_behind_if_they_do_not_stop_the_job() -> None:
    from raystream.api.samples.learn import learn_schemas
    from raystream.data.inference import NoColumns

    class Bad(rs.Rows):
        looks = 0

        def learn(self) -> rs.Schema | None:
            Bad.looks += 1
            if Bad.looks < 3:
                raise NoColumns(7, "rows")
            return super().learn()

    p = rs.Pipeline("job")
    p.read(Bad(ROWS), errors="skip", name="skips").write(rs.Collect())
    p.read(Bad(ROWS), name="fails").write(rs.Collect())
    reads = [node for node in p.graph().nodes if node.name in ("skips", "fails")]
    said: list[str] = []
    found = learn_schemas(reads[:1], {}, bounded=False, say=said.append, wait=lambda s: None)
    assert found["skips"].names() == ["ts", "ip", "status"]
    Bad.looks = 0
    with pytest.raises(NoColumns, match="none of the first 7 records"):
        learn_schemas(reads[1:], {}, bounded=False, say=said.append, wait=lambda s: None)


def test_a_failed_run_raises_with_the_users_line(tmp_path: Path) -> None:
    def bad(row: dict[str, object]) -> dict[str, object]:
        return {"ts": row["nope"]}

    p = rs.Pipeline("job", checkpoint_storage=str(tmp_path))
    p.read(rs.Rows(ROWS), event_time="ts").map(bad).write(rs.Collect())
    with pytest.raises(ConfigurationError, match=r"test_run\.py:\d+: .* KeyError: 'nope'"):
        p.run(until="latest", local=True)


def test_a_superseded_run_raises() -> None:
    with pytest.raises(Superseded, match="attempt 7 took over"):
        successful(rs.Outcome("superseded", "attempt 7 took over"))
    assert successful(rs.Outcome("stopped")).kind == "stopped"


def test_a_checkpoint_that_does_not_fit_the_job_is_refused(tmp_path: Path) -> None:
    """Exit code 2: nothing is wrong with the run, the job as written cannot continue from there."""
    p = rs.Pipeline("job", checkpoint_storage=str(tmp_path))
    p.read(rs.Rows(ROWS), event_time="ts", name="rows").write(rs.Collect())
    p.run(until="latest", local=True)
    renamed = rs.Pipeline("job", checkpoint_storage=str(tmp_path))
    renamed.read(rs.Rows(ROWS), event_time="ts", name="row").write(rs.Collect())
    with pytest.raises(ConfigurationError, match="holds state of step 'rows'") as caught:
        renamed.run(until="latest", local=True)
    assert caught.value.exit_code == 2
    outcome = renamed.run(until="latest", local=True, allow_non_restored_state=True)
    assert outcome.rows_in == 120


def test_what_the_cluster_cannot_change_is_prepared_while_it_starts(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    prepared: list[int] = []

    def noted(
        pipeline: rs.Pipeline, options: RunOptions, storage: str, cpus: int
    ) -> JobSpec | None:
        prepared.append(cpus)
        return prepare(pipeline, options, storage, cpus)

    monkeypatch.setattr("raystream.api.jobs.run.prepare", noted)
    p = rs.Pipeline("job")
    p.read(rs.Rows([{"n": 1}]), name="read").write(rs.Collect())
    for asked, early, late in ((3, [3], [3]), (None, [], [7])):
        prepared.clear()
        ahead = Ahead(p, RunOptions(until="latest", parallelism=asked), str(tmp_path))
        ahead.prepare()
        assert prepared == early
        assert ahead.job(7) is not None
        assert prepared == late
