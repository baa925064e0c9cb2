"""Who is asked for a sign of context, and what silence means."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator

import pytest

from raystream.runtime.ray import heartbeat
from raystream.runtime.ray.heartbeat import IdleWorkers, Moving, Pulse


@pytest.fixture
def server() -> Iterator[socket.socket]:
    with socket.create_server(("127.0.0.1", 0)) as listening:
        yield listening


@pytest.fixture(autouse=True)
def _soon(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(heartbeat, "_ANSWER_SECONDS", 0.05)


def answer(server: socket.socket) -> None:
    connection, _ = server.accept()
    connection.sendall(b"\0")
    connection.close()


def test_who_answers_lives(server: socket.socket) -> None:
    pulse = Pulse(server.getsockname())
    thread = threading.Thread(target=answer, args=(server,))
    thread.start()
    assert pulse.missing(0.0) is None
    thread.join()


def test_who_accepts_and_says_nothing_stands_still(server: socket.socket) -> None:
    """As the kernel does for a process that is stopped."""
    pulse = Pulse(server.getsockname())
    assert pulse.missing(30.0) is None
    assert pulse.missing(0.0) == "does not answer"


def test_who_refuses_twice_is_gone(server: socket.socket) -> None:
    pulse = Pulse(server.getsockname())
    server.close()
    assert [pulse.missing(30.0), pulse.missing(30.0)] == [None, "is gone"]


def test_a_process_that_is_stopped_stands_still(monkeypatch: pytest.MonkeyPatch) -> None:
    code = "import time; time.sleep(60)"
    with subprocess.Popen([sys.executable, "-c", code]) as process:
        try:
            moving = Moving(process.pid)
            assert moving.missing(0.01) is None
            os.kill(process.pid, signal.SIGSTOP)
            time.sleep(0.05)
            assert moving.missing(30.0) is None
            assert moving.missing(0.01) == "stands still"
            monkeypatch.setattr(heartbeat, "STOPPED_SECONDS", 0.01)
            assert moving.missing(30.0) == "stands still"  # however patient with the silent
        finally:
            process.kill()


def test_a_stopped_worker_without_work_is_ended_and_no_other(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(heartbeat, "_IDLE_EVERY", 1)
    sleep = ["-c", "import time; time.sleep(60)"]
    titles = ("ray::IDLE", "ray::IDLE", "ray::counts.wait")
    started = [subprocess.Popen([title, *sleep], executable=sys.executable) for title in titles]
    idle, moving, works = started
    try:
        for process in (idle, works):
            os.kill(process.pid, signal.SIGSTOP)
        workers = IdleWorkers(os.getsid(0))
        assert [workers.missing(8.0) for _ in range(2)] == [None, None]
        assert idle.wait(5) == -signal.SIGKILL
        assert [moving.poll(), works.poll()] == [None, None]
    finally:
        for process in started:
            process.kill()
            process.wait()
