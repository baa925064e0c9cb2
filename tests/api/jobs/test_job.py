"""A job on Ray as a notebook sees it: submitted, watched, found again, stopped."""

from __future__ import annotations

import _thread
import gc
import itertools
import os
import signal
import subprocess
import sys
import threading
import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import ray

import raystream as rs
from raystream.errors import ConfigurationError, RaystreamError
from raystream.runtime.ray.private_ray import lean_start
from tests.support import processes
from tests.support.chaos import until

pytestmark = pytest.mark.timeout(400)

_ray: Any = ray


@pytest.fixture(scope="module")
def cluster() -> Iterator[str]:
    """Address of a cluster that this process is connected to."""
    if ray.is_initialized():
        yield _ray.get_runtime_context().gcs_address
        return
    os.environ.setdefault("RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO", "0")
    with lean_start():
        _ray.init(
            address="local",
            num_cpus=4,
            include_dashboard=False,
            object_store_memory=120_000_000,
            log_to_driver=False,
            logging_level="ERROR",
        )
    yield _ray.get_runtime_context().gcs_address
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ResourceWarning)  # Ray does not wait for its processes
        ray.shutdown()
        gc.collect()


class Place:
    """Pipelines that write below a directory of their own."""

    def __init__(self, cluster: str, directory: Path, name: str) -> None:
        self.cluster = cluster
        self.name = name
        self._directory = directory

    def pipeline(self, least: int = 5, broken_at: int | None = None) -> rs.Pipeline:
        def checked(row: dict[str, Any]) -> bool:
            if broken_at is not None and row["ts"] % 100_000 >= broken_at:
                text = f"cannot take {row['key']}"
                raise ValueError(text)
            return True

        storage = str(self._directory / "checkpoints")
        p = rs.Pipeline(self.name, checkpoint_interval="500ms", checkpoint_storage=storage)
        rows = p.read(rs.Datagen(rate=2000), event_time="ts", name="rows", parallelism=1)
        kept = rows.filter(f"value > {least}", name="kept").filter(checked, name="checked")
        kept.write(rs.Files(self._directory / "out"), name="write")
        return p

    def elsewhere(self, code: str) -> str:
        """What another process prints, which knows the name only."""
        head = f"import raystream as rs\njob = rs.job({self.name!r}, address={self.cluster!r})\n"
        run = subprocess.run(
            [sys.executable, "-c", head + code], check=True, capture_output=True, text=True
        )
        return run.stdout.strip()


@pytest.fixture
def place(
    cluster: str, tmp_path: Path, job_name: str, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Place]:
    monkeypatch.delenv("RAYSTREAM_CHECKPOINT_STORAGE", raising=False)
    yield Place(cluster, tmp_path, job_name)
    for job in rs.jobs():
        if job.name == job_name:
            job.cancel()


def flows(job: rs.Job) -> None:
    until(lambda: job.status().rows_written > 0, 120, "rows in the sink")


def test_the_life_of_a_job_across_processes(
    place: Place, capsys: pytest.CaptureFixture[str]
) -> None:
    job = place.pipeline().submit()
    assert f"{place.name}: runs on the cluster" in capsys.readouterr().err
    flows(job)
    assert job.outcome() is None
    assert job.wait(timeout=0.1) is None
    assert job.name in [each.name for each in rs.jobs()]

    again = place.pipeline().submit()
    assert "is already running, unchanged" in capsys.readouterr().err
    assert again.status().run == job.status().run
    with pytest.raises(
        ConfigurationError, match=rf"{place.name} runs already, and is not the same"
    ):
        place.pipeline(least=6).submit()

    number = int(place.elsewhere("print(job.checkpoint())"))
    assert 0 < number <= job.checkpoint()
    assert Path(job.savepoint()).is_dir()
    assert job.logs(5)
    assert place.elsewhere("print(job.stop().kind)") == "stopped"
    outcome = job.wait()
    assert outcome is not None
    assert (outcome.kind, job.outcome()) == ("stopped", outcome)
    assert outcome.rows_out > 0
    assert (job.status().state, job.status().outcome) == ("ended", "stopped")
    assert repr(job) == f"Job({place.name!r}, stopped)"
    assert list(job.tail("rows")) == []
    assert job.stop() == outcome
    with pytest.raises(RaystreamError):
        job.checkpoint()


def test_what_can_be_seen_of_a_running_job(place: Place) -> None:
    job = place.pipeline().submit()
    for step in ("rows", "checked", "write"):
        rows = list(job.tail(step, limit=5, timeout=120))
        assert len(rows) == 5
        assert rows[0].keys() == {"ts", "key", "value"}
        if step != "rows":
            assert all(row["value"] > 5 for row in rows)
    with pytest.raises(ConfigurationError, match="no step 'rowz'; did you mean 'rows'"):
        job.tail("rowz")
    progress = job.progress()
    assert progress["job"] == place.name
    assert progress["rows_in_per_second"] > 0
    card = job._repr_html_()
    assert place.name in card
    assert "<script" not in card
    assert len(list(job.tail("rows", timeout=0.5))) < 2000 * 60
    with pytest.raises(ConfigurationError, match=f"no job '{place.name}x'.*mean '{place.name}'"):
        rs.job(f"{place.name}x")


def test_a_look_goes_on_when_a_subtask_is_replaced(place: Place) -> None:
    job = place.pipeline().submit()
    rows = job.tail("checked", timeout=120)
    next(rows)
    chain = job.status().chains[0].name
    victim = next(each for each in processes.subtasks(os.getpid(), [chain]))
    os.kill(victim.pid, signal.SIGKILL)
    until(lambda: job.status().restart_count > 0, 60, "restart")
    before = max(row["ts"] for row in itertools.islice(rows, 100))
    assert any(row["ts"] > before + 1000 for row in rows)  # a second of event time later
    assert job.outcome() is None


def test_an_interrupt_ends_the_view_only(place: Place, capsys: pytest.CaptureFixture[str]) -> None:
    job = place.pipeline().submit()
    flows(job)
    for view in (job.wait, lambda: [None for _ in job.tail("rows")]):
        threading.Timer(1.0, _thread.interrupt_main).start()
        with pytest.raises(KeyboardInterrupt):
            view()
        assert f"{place.name} runs on; job.stop() ends it" in capsys.readouterr().err
    assert job.outcome() is None
    outcome = job.cancel()
    assert outcome is not None
    assert outcome.kind == "cancelled"


def test_a_failure_is_told_and_the_next_run_goes_on(place: Place) -> None:
    job = place.pipeline(broken_at=3000).submit()
    outcome = job.wait(timeout=120)
    assert outcome is not None
    assert outcome.kind == "failed"
    assert "ValueError: cannot take key-" in outcome.message
    repaired = place.pipeline().submit()
    flows(repaired)
    assert repaired.outcome() is None
    assert (repaired.stop(drain=True) or outcome).kind == "stopped"


SCRIPT = """
import sys
import raystream as rs
from beside import doubled

name, directory, address = sys.argv[1:]

def odd(row):
    return row["value"] % 2

p = rs.Pipeline(name, checkpoint_interval="500ms", checkpoint_storage=f"{directory}/checkpoints")
rows = p.read(rs.Datagen(rate=1000), event_time="ts", parallelism=1).filter(odd, name="odd")
rows.with_columns(twice=doubled).write(rs.Files(f"{directory}/out"), name="write")
p.submit(address=address)
"""


def test_a_job_outlives_the_process_that_submitted_it(place: Place, tmp_path: Path) -> None:
    beside = "def doubled(row) -> int:\n    return 2 * row['value']\n"
    (tmp_path / "beside.py").write_text(beside)
    (tmp_path / "script.py").write_text(SCRIPT)
    arguments = [place.name, str(tmp_path), place.cluster]
    for _ in range(2):  # the second time finds the job of the first
        subprocess.run([sys.executable, tmp_path / "script.py", *arguments], check=True)
    job = rs.job(place.name)
    flows(job)
    (row,) = job.tail("write", limit=1, timeout=60)
    assert row["twice"] == 2 * row["value"]
    assert row["value"] % 2
    assert job.status().restart_count == 0
    assert (job.stop() or rs.Outcome("failed")).kind == "stopped"


def test_nothing_to_read_is_a_job_that_has_finished(place: Place, tmp_path: Path) -> None:
    (tmp_path / "empty.json").touch()
    p = rs.Pipeline(place.name, checkpoint_storage=str(tmp_path / "c"))
    p.read(rs.Files(tmp_path / "empty.json")).write(rs.Files(tmp_path / "o"))
    job = p.submit(until="latest")
    assert job.wait() == job.outcome()
    assert job.status().state == "ended"
    assert (job.stop() or rs.Outcome("failed")).kind == "finished"
    with pytest.raises(RaystreamError, match="has ended"):
        job.savepoint()
