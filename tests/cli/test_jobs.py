"""Verbs on jobs of a cluster: what they say, their JSON, their exit codes."""

from __future__ import annotations

import json
import re
import time
from pathlib import Path

import pytest

from raystream.observe.status import StatusDocument
from tests.cli.conftest import (
    COMMAND,
    Running,
    raystream,
    raystream_many,
    started,
    wait_for_checkpoint,
)

VERBS = [
    ["list"],
    ["status", "job"],
    ["status", "job", "--watch"],
    ["logs", "job"],
    ["stop", "job"],
    ["cancel", "job"],
    ["savepoint", "job"],
    ["checkpoint", "job"],
]


def test_a_running_job_is_listed_and_told_of(running: Running) -> None:
    name = running.name
    listed, listed_json, told, told_json = raystream_many(
        running.address, ["list"], ["list", "--json"], ["status", name], ["status", name, "--json"]
    )
    assert {done.code for done in (listed, listed_json, told, told_json)} == {0}
    header, *rows = listed.out.splitlines()
    assert header.split()[:3] == ["NAME", "STATE", "UPTIME"]
    (row,) = (row for row in rows if name in row)
    assert re.match(rf"{name} +running +\d+ s +", row)
    assert header.index("STATE") == row.index("running")
    (document,) = (each for each in json.loads(listed_json.out) if each["name"] == name)
    assert document["state"] == "running"
    assert document["checkpoint"] >= 1
    assert document["restarts"] == 0
    assert f"{name}  running" in told.out
    assert "checkpoint" in told.out
    assert "\x1b" not in listed.out + told.out
    assert StatusDocument.from_dict(json.loads(told_json.out)).job == name


def test_logs_hold_prints_and_what_happened(running: Running) -> None:
    deadline = time.monotonic() + 60
    while True:
        text, as_json = raystream_many(
            running.address, ["logs", running.name], ["logs", running.name, "-n", "2", "--json"]
        )
        if "a user prints" in text.out or time.monotonic() > deadline:
            break
    assert (text.code, as_json.code) == (0, 0)
    assert re.search(r"^[\w-]+\[0\] \| a user prints key-\d+$", text.out, re.MULTILINE)
    assert re.search(r"^coordinator \| .* attempt 0 is running$", text.out, re.MULTILINE)
    lines = json.loads(as_json.out)
    assert {"process", "line"} == set(lines[0])
    assert len([line for line in lines if line["process"] == "coordinator"]) <= 2


def test_checkpoints_and_savepoints_are_printed_alone(running: Running, tmp_path: Path) -> None:
    first, second, kept, there = raystream_many(
        running.address,
        ["checkpoint", running.name],
        ["checkpoint", running.name],
        ["savepoint", running.name],
        ["savepoint", running.name, str(tmp_path / "kept")],
    )
    assert [done.code for done in (first, second, kept, there)] == [0, 0, 0, 0]
    assert 0 < int(first.out) < int(second.out)
    assert (Path(kept.out.strip()) / "savepoint").is_file()
    assert there.out == f"{tmp_path}/kept\n"
    assert (tmp_path / "kept" / "savepoint").is_file()


def test_a_job_that_does_not_run_names_those_that_do(running: Running) -> None:
    wrong = running.name[:-1] + ("x" if running.name[-1] != "x" else "y")
    for done in raystream_many(running.address, *([verb, wrong] for verb in ("status", "cancel"))):
        assert done.code == 2
        assert done.out == ""
        assert f"no job {wrong!r} runs on the Ray cluster at {running.address}; " in done.err
        assert running.name in done.err
        assert f"did you mean {running.name!r}?" in done.err


def test_stop_tells_how_it_ended_and_the_run_elsewhere_is_good(running: Running) -> None:
    """Last of this run: it ends."""
    watched = raystream_many(running.address, ["stop", running.name, "--savepoint"])[0]
    assert watched.code == 0
    assert f"{running.name} is ending after a last commit" in watched.err
    assert re.search(r"^stopped, read \d+, written 0", watched.err, re.MULTILINE)
    assert re.search(rf"^{running.name} continues from checkpoint \d+$", watched.err, re.MULTILINE)
    assert (Path(watched.out.strip()) / "savepoint").is_file()
    said = running.process.communicate(timeout=180)[1]
    assert running.process.returncode == 0
    assert "stopped, read " in said


def test_who_watches_sees_a_cancelled_job_end(running: Running) -> None:
    where = ["--address", running.address]
    with started(running.command) as again:
        wait_for_checkpoint(running.storage, again)
        watch = [*COMMAND, "status", running.name, "--watch", *where]
        with started(watch) as watching:
            assert watching.stdout is not None
            first = watching.stdout.readline()
            done = raystream("cancel", running.name, *where)
            shown = watching.communicate(timeout=180)[0].splitlines()
        said = again.communicate(timeout=180)[1]
    assert first.startswith(f"{running.name}  running")
    assert shown[-1].startswith(f"{running.name}  cancelled")
    assert (done.code, watching.returncode, again.returncode) == (4, 4, 4)
    assert "cancelled, committed: read " in done.err
    assert "cancelled, committed: read " in said


def test_without_a_cluster_there_are_no_jobs_and_no_ray_is_started(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("RAY_ADDRESS", raising=False)
    home = tmp_path.with_name("home")  # no run of another terminal is found
    environment = {"RAY_TMPDIR": str(tmp_path), "HOME": str(home)}
    for done in raystream_many(None, *VERBS, environment=environment):
        assert (done.code, done.out) == (2, "")
        assert "there is no Ray cluster here; name its address, or set RAY_ADDRESS" in done.err
    assert list(tmp_path.iterdir()) == []


def test_a_cluster_that_does_not_answer() -> None:
    nobody, dashboard = raystream_many(
        None, ["list", "--address", "127.0.0.1:1"], ["list", "--address", "http://127.0.0.1:8265"]
    )
    assert (nobody.code, nobody.out) == (2, "")
    assert "no Ray cluster answers at 127.0.0.1:1: " in nobody.err
    assert (dashboard.code, dashboard.out) == (2, "")
    assert "http://127.0.0.1:8265 is the address of a dashboard; give that of" in dashboard.err
