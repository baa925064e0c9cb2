"""Logs of a job: what its processes printed, logged and died of, also of those that are gone."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable
from pathlib import Path

import polars as pl
import pytest

from raystream.errors import ConfigurationError
from raystream.job.messages import StopKind
from raystream.job.outcome import Outcome
from raystream.runtime.ray.entry import find, run
from raystream.runtime.ray.logs import LogReader, Process, logs, read_here
from raystream.runtime.ray.remote_job import RemoteJob
from tests.runtime.ray.jobs import counting

pytestmark = pytest.mark.usefixtures("ray_cluster")


def talks_and_fails_once(marker: Path) -> Callable[[pl.DataFrame], pl.DataFrame]:
    def function(frame: pl.DataFrame) -> pl.DataFrame:
        print("printed by a user")
        logging.getLogger("users").info("logged by a user")
        if not marker.exists():
            marker.touch()
            raise ValueError("once")
        return frame

    return function


def until(reader: Callable[[], list[str]], *wanted: str) -> list[str]:
    """Everything read until each of these texts has come."""
    found: list[str] = []
    deadline = time.monotonic() + 60
    while not all(any(text in line for line in found) for text in wanted):
        assert time.monotonic() < deadline, found
        found += reader()
        time.sleep(0.1)
    return found


def new_lines(reader: LogReader) -> list[str]:
    try:
        return [line for piece in reader.read(10_000) for line in piece.prefixed()]
    except ConfigurationError:
        return []  # it has not started yet


def test_prints_logging_tracebacks_and_events_each_once(tmp_path: Path) -> None:
    function = talks_and_fails_once(tmp_path / "failed")
    job = counting(tmp_path, rows=None, rate=200.0, function=function, name="talks")
    ended: list[Outcome] = []
    running = threading.Thread(target=lambda: ended.append(run(job)))
    running.start()
    while (found := RemoteJob.find("talks")) is None:
        time.sleep(0.1)
    reader = LogReader(found)
    try:
        lines = until(
            lambda: new_lines(reader),
            "printed by a user",
            "logged by a user",
            "ValueError: once",
            "attempt 0 failed",
            "attempt 1 is running",
            "checkpoint ",
        )
        assert any(line.startswith("read[0] | Traceback") for line in lines)
        failed = [line for line in lines + new_lines(reader) if "attempt 0 failed" in line]
        assert [line.partition(" | ")[0] for line in failed] == ["coordinator"]
        assert any("attempt 1 is running" in line for line in logs(found))
        assert not [line for line in lines if ":actor_name:" in line]
    finally:
        coordinator = find("talks")
        if coordinator is not None:
            coordinator.stop.remote(StopKind.STOP)
        running.join(60)
    assert [outcome.kind for outcome in ended] == ["stopped"]
    with pytest.raises(ConfigurationError, match="job talks is no longer running"):
        reader.read(1)


def test_the_end_of_a_file_then_only_whole_new_lines(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("raystream.runtime.ray.logs._directory", lambda: tmp_path)
    path = tmp_path / "worker-abc-ffff-77.out"
    path.write_text(":job_id:01\none\ntwo\nthree\n")
    me = [Process("counts[0]", "node", 77)]
    (first,) = read_here(me, {}, 2)
    assert first.prefixed() == ["counts[0] | two", "counts[0] | three"]
    with path.open("a") as log:
        log.write("four\nfi")
    (second,) = read_here(me, {first.file: first.end}, 2)
    with path.open("a") as log:
        log.write("ve\n")
    (third,) = read_here(me, {first.file: second.end}, 2)
    assert (second.lines, third.lines) == (("four",), ("five",))
    path.write_text("begun anew\n")  # as rotation does
    (fourth,) = read_here(me, {first.file: third.end}, 2)
    assert fourth.lines == ("begun anew",)
    assert read_here([Process("other", "node", 7)], {}, 2) == []
