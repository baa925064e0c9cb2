"""Who is taken for frozen before `liveness_timeout`: who is stopped, nobody who is only slow."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from types import SimpleNamespace
from typing import Any, cast

import pytest

from raystream.ids import SubtaskId
from raystream.runtime.ray import heartbeat, stillness
from raystream.runtime.ray.actors import Worker
from raystream.runtime.ray.node_table import Node
from raystream.runtime.ray.session import STOPPED, state_of
from raystream.runtime.ray.stillness import NODE, PROCESS, Stillness
from raystream.runtime.ray.subtask import Subtask, Whereabouts

ONE, TWO = SubtaskId("read", 0), SubtaskId("count", 0)


class Now:
    """A main thread that runs each callback at once, and waits for no answer."""

    def put(self, callback: Callable[[], None]) -> None:
        callback()

    def when(self, ref: Any, then: Callable[[Any], None], timeout: float | None = None) -> None:
        then(ref)


@pytest.fixture
def sleeper() -> Iterator[int]:
    with subprocess.Popen([sys.executable, "-c", "import time; time.sleep(60)"]) as process:
        yield process.pid
        process.kill()


@pytest.fixture
def found() -> list[tuple[SubtaskId, str]]:
    return []


@pytest.fixture
def watching(found: list[tuple[SubtaskId, str]]) -> Stillness:
    return Stillness(cast("Any", Now()), "here", lambda who, _, what: found.append((who, what)))


def worker(node: str, pid: int, silent: float) -> Worker:
    sees = SimpleNamespace(remote=lambda pid: Subtask.is_stopped(cast("Any", None), pid))
    one = Worker(SimpleNamespace(is_stopped=sees), 0.5, Whereabouts(node, pid))
    one.heard = time.monotonic() - silent
    return one


def eventually(condition: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 10
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.01)


def stop(pid: int) -> None:
    os.kill(pid, signal.SIGSTOP)
    eventually(lambda: state_of(pid) == STOPPED)


@pytest.mark.parametrize("node", ["here", "there"])
def test_a_stopped_process_is_found_on_this_node_and_by_a_neighbour_on_another(
    node: str, watching: Stillness, found: list[Any], sleeper: int
) -> None:
    neighbour = (TWO, worker(node, os.getpid(), 0.5))
    stop(sleeper)
    watching.look([(ONE, worker(node, sleeper, 2.5)), neighbour])
    assert found == []  # it has answered a moment ago
    watching.look([(ONE, worker(node, sleeper, 3.5)), neighbour])
    assert found == [(ONE, PROCESS)]


@pytest.mark.parametrize("node", ["here", "there"])
def test_one_that_is_silent_but_runs_is_left_to_the_timeout(
    node: str, watching: Stillness, found: list[Any], sleeper: int
) -> None:
    watching.look([(ONE, worker(node, sleeper, 9.0)), (TWO, worker(node, os.getpid(), 0.5))])
    assert found == []


def test_one_that_was_never_open_is_left_alone(watching: Stillness, found: list[Any]) -> None:
    watching.look([(ONE, Worker(None, 0.5))])
    assert found == []


@pytest.fixture
def raylet(monkeypatch: pytest.MonkeyPatch) -> Iterator[socket.socket]:
    """Of the node `there`: it accepts, and answers only if somebody does so for it."""
    monkeypatch.setattr(heartbeat, "_ANSWER_SECONDS", 0.1)
    with socket.create_server(("127.0.0.1", 0)) as server:
        node = Node("there", *server.getsockname()[:2], cpus=1.0)
        monkeypatch.setattr(stillness, "listed_nodes", lambda: [node])
        yield server


def test_a_node_where_nothing_answers_stands_still(
    watching: Stillness, found: list[Any], raylet: socket.socket
) -> None:
    there = [(each, worker("there", 0, 3.5)) for each in (ONE, TWO)]
    watching.look([(SubtaskId("read", 1), worker("here", os.getpid(), 0.1)), *there])
    eventually(lambda: found == [(ONE, NODE), (TWO, NODE)])


def test_a_node_whose_raylet_or_any_subtask_answers_does_not(
    watching: Stillness, found: list[Any], raylet: socket.socket
) -> None:
    watching.look([(ONE, worker("there", 0, 3.5)), (TWO, worker("there", 0, 0.5))])
    watching.look([(ONE, worker("there", 0, 2.5))])
    raylet.settimeout(0.3)
    with pytest.raises(TimeoutError):
        raylet.accept()  # it was not even asked
    raylet.settimeout(10)
    watching.look([(ONE, worker("there", 0, 3.5))])
    connection, _ = raylet.accept()
    with connection:
        connection.sendall(b"\0")
        time.sleep(0.3)
    assert found == []
