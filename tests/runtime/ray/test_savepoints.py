"""Savepoints on real Ray: asked for from outside, written by the coordinator, started from."""

from __future__ import annotations

import os
import shutil
import signal
import threading
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import ray

from raystream.errors import ConfigurationError, RaystreamError
from raystream.job.messages import StopKind
from raystream.runtime.ray.entry import run, submit
from raystream.runtime.ray.remote_job import RemoteJob
from raystream.storage.open import open_store
from raystream.storage.savepoints import read_savepoint
from tests.runtime.ray.jobs import counting, written
from tests.runtime.ray.test_job import eventually, exact
from tests.support.points import environment, happened

pytestmark = pytest.mark.usefixtures("ray_cluster")


def answer(ref: Any) -> Any:
    return ray.get(ref, timeout=60)


def commits(coordinator: Any, count: int = 1) -> None:
    def done() -> bool:
        status = answer(coordinator.status.remote())
        return status is not None and status.checkpoint.completed >= count

    eventually(done, 60)


def test_a_job_is_stopped_with_a_savepoint_and_goes_on_from_it_elsewhere(tmp_path: Path) -> None:
    job = counting(tmp_path, rows=6000, rate=1000.0, name="kept", parallelism=2)
    first = submit(job)
    commits(first)
    number = answer(first.checkpoint.remote())
    beside = Path(answer(first.savepoint.remote(None)))
    assert beside.parent == tmp_path / "state/kept/savepoints"
    assert int(beside.name.partition("-")[0]) > number
    with pytest.raises(ConfigurationError, match="there is another savepoint already"):
        answer(first.savepoint.remote(str(beside)))
    with pytest.raises(ConfigurationError, match="is not an absolute path"):
        answer(first.savepoint.remote("here"))
    target = str(tmp_path / "kept")
    answer(first.stop.remote(StopKind.STOP, target))
    outcome = answer(first.wait.remote())
    assert (outcome.kind, outcome.savepoint) == ("stopped", target)
    with pytest.raises(RaystreamError, match="has ended"):
        answer(first.checkpoint.remote())
    ray.kill(first)
    shutil.rmtree(tmp_path / "state")
    second = counting(tmp_path, rows=6000, rate=1000.0, name="moved", parallelism=1)
    outcome = run(replace(second, savepoint=target, claim=True, run="r1"))
    assert outcome.kind == "finished"
    assert 0 < outcome.rows_in < 6000
    exact(job, tmp_path)
    assert not list((tmp_path / "kept").glob("savepoint"))


def test_a_coordinator_that_dies_while_it_starts_from_a_savepoint(tmp_path: Path) -> None:
    """It is killed once the state is brought back, and before the claimed savepoint is deleted."""
    job = counting(tmp_path, rows=4000, name="before")
    first = submit(job)
    commits(first)
    answer(first.stop.remote(StopKind.STOP, str(tmp_path / "kept")))
    assert answer(first.wait.remote()).savepoint
    ray.kill(first)
    (tmp_path / "markers").mkdir()
    orders = ["bring back done@coordinator:1", "discard savepoint@coordinator:1"]
    second = counting(tmp_path, rows=4000, name="after")
    outcome = run(
        replace(second, savepoint=str(tmp_path / "kept"), claim=True, run="r1"),
        points=environment(";".join(orders), tmp_path / "markers"),
    )
    assert outcome.kind == "finished"
    assert happened(tmp_path / "markers") == sorted(orders)
    exact(job, tmp_path)


def test_who_asks_is_answered_whoever_dies_meanwhile(tmp_path: Path) -> None:
    """A subtask dies before the checkpoint, then the coordinator while it writes the copy."""
    (tmp_path / "markers").mkdir()
    orders = ["aligned@count:1", "keep savepoint@coordinator:1"]
    job = counting(tmp_path, rows=None, name="delayed", interval=1000.0)
    points = environment(";".join(orders), tmp_path / "markers")
    answers: list[str] = []

    def ask() -> None:
        try:
            eventually(lambda: RemoteJob.find("delayed") is not None, 90)
            eventually(lambda: list((tmp_path / "markers").glob("count*.here")), 90)
            coordinator = RemoteJob.find("delayed")
            assert coordinator is not None
            answers.append(coordinator.ask("savepoint", None))
        finally:  # else the job would run for ever
            os.kill(os.getpid(), signal.SIGINT)

    asking = threading.Thread(target=ask)
    asking.start()
    outcome = run(job, points=points)
    asking.join(60)
    assert (outcome.kind, outcome.restarts) == ("stopped", 2)
    assert happened(tmp_path / "markers") == orders
    assert len(answers) == 1
    assert read_savepoint(open_store(answers[0])).number == 2
    assert set(written(tmp_path).values()) <= {1}
