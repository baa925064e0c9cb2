"""Which cluster is joined: one that was started by hand and still answers, never a leftover."""

from __future__ import annotations

import os
import queue
import signal
import socket
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from raystream.errors import ConfigurationError
from raystream.ids import SubtaskId
from raystream.job.messages import Opened
from raystream.job.spec import OpenRequest
from raystream.runtime.ray import cluster, shared_storage
from raystream.runtime.ray.cluster import attached, nodes, started_head
from raystream.runtime.ray.node_table import listening_host
from raystream.runtime.ray.remote_job import connect_if_there_is_one
from raystream.runtime.ray.serialization import pack_job
from raystream.runtime.ray.workers import RayWorkers
from raystream.runtime.signals import interrupted_by_sigterm
from raystream.storage.open import job_store
from tests.runtime.ray.jobs import counting


@pytest.fixture
def note(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The file in which `ray start` leaves the address of its head."""
    monkeypatch.setenv("RAY_TMPDIR", str(tmp_path))
    (tmp_path / "ray").mkdir()
    return tmp_path / "ray" / "ray_current_cluster"


def test_a_head_that_answers_is_found(note: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as head:
        address = f"127.0.0.1:{head.getsockname()[1]}"
        note.write_text(address)
        assert started_head() == address


def test_an_address_where_nobody_answers_is_said_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("ray.is_initialized", lambda: False)  # a test before may have connected
    with socket.create_server(("127.0.0.1", 0)) as closed:
        address = f"127.0.0.1:{closed.getsockname()[1]}"
    with (
        pytest.raises(ConfigurationError, match=f"no Ray cluster answers at {address}: Connection"),
        attached(address),
    ):
        pass


@pytest.fixture
def connected(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """This process is connected; what is done to the connection."""
    done: list[str] = []
    monkeypatch.setattr("ray.is_initialized", lambda: not done)
    monkeypatch.setattr("ray.shutdown", lambda: done.append("shutdown"))
    monkeypatch.setattr(cluster, "gcs_address", lambda: "127.0.0.1:6379")
    monkeypatch.setattr(cluster, "_connect", lambda address: done.append(address))
    monkeypatch.setattr(cluster._Own, "looking", False)
    monkeypatch.setattr(cluster._Own, "private", False)
    return done


@pytest.mark.parametrize("address", ["127.0.0.1:6380", "10.255.255.1:6379", "no-such-host:6379"])
def test_another_cluster_than_the_connected_one_is_refused(
    connected: list[str], address: str
) -> None:
    """A job ran on the one that its process happened to be connected to."""
    said = f"connected to the Ray cluster at 127.0.0.1:6379, not to {address}; leave out"
    for ask in (
        attached(address).__enter__,
        lambda: cluster.connect(address),
        lambda: cluster.look_at(address),
        lambda: connect_if_there_is_one(address),
    ):
        with pytest.raises(ConfigurationError, match=said):
            ask()
    assert connected == []


@pytest.mark.parametrize("address", [None, "auto", "127.0.0.1:6379", "localhost:6379", "ray://h:1"])
def test_the_connected_cluster_is_used(connected: list[str], address: str | None) -> None:
    with attached(address) as private:
        assert not private
    assert connect_if_there_is_one(address)
    assert connected == []


def test_a_view_of_a_cluster_is_left_for_another(
    connected: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(cluster._Own, "looking", True)
    cluster.connect("127.0.0.1:6380")
    assert connected == ["shutdown", "127.0.0.1:6380"]
    assert not cluster._Own.looking, "something may run on it now"


@pytest.mark.parametrize("content", ["127.0.0.1:1", "nonsense", ""])
def test_a_leftover_note_is_not_believed(note: Path, content: str) -> None:
    note.write_text(content)
    assert started_head() is None


def test_without_a_note_there_is_no_head(note: Path) -> None:
    assert not note.exists()
    assert started_head() is None


@pytest.mark.usefixtures("ray_cluster")
def test_a_node_that_does_not_see_the_storage_is_found(tmp_path: Path) -> None:
    (tmp_path / "probe").touch()
    assert shared_storage.blind_nodes(tmp_path / "probe", nodes()) == []
    assert shared_storage.blind_nodes(tmp_path / "no such file", nodes()) == nodes()


@pytest.mark.parametrize(
    ("listed", "host"),
    [
        (["me"], "127.0.0.1"),
        (["me", "other"], "10.0.0.7"),
        (["other"], "10.0.0.7"),  # this node came later
        ([], "10.0.0.7"),  # not known
    ],
)
def test_a_subtask_listens_on_loopback_if_its_node_is_the_only_one(
    listed: list[str], host: str
) -> None:
    assert listening_host("10.0.0.7", "me", listed) == host


@pytest.mark.usefixtures("ray_cluster")
def test_the_subtasks_of_a_job_on_a_cluster_of_one_node_listen_on_loopback(tmp_path: Path) -> None:
    job, told = counting(tmp_path), queue.SimpleQueue[Any]()
    store = job_store(job.checkpoint.storage, job.name)
    with ThreadPoolExecutor(1) as background:
        workers = RayWorkers(job, pack_job(job), store, background)
        workers.post = told.put
        subtasks: list[SubtaskId] = job.plan.subtasks()
        workers.open([OpenRequest(job, 1, one, "0" * 8, {}, {}) for one in subtasks], frozenset())
        opened = [told.get(timeout=60) for _ in subtasks]
        workers.close()
    assert all(isinstance(event, Opened) for event in opened), opened
    assert {event.address.host for event in opened} == {"127.0.0.1"}


def test_a_storage_that_is_made_is_its_users_only(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(shared_storage, "blind_nodes", lambda probe, nodes: [])
    old = os.umask(0)
    try:
        shared_storage.check_shared(str(tmp_path / "shared" / "state"), ["one", "two"])
    finally:
        os.umask(old)
    for made in (tmp_path / "shared", tmp_path / "shared" / "state"):
        assert made.stat().st_mode & 0o777 == 0o700


def test_one_node_needs_no_shared_storage(tmp_path: Path) -> None:
    shared_storage.check_shared(str(tmp_path / "new"), ["only one"])
    assert not (tmp_path / "new").exists()


def test_a_storage_in_the_copy_of_the_working_directory_is_refused() -> None:
    storage = "/tmp/ray/session_1/runtime_resources/working_dir_files/_ray_pkg_0f/state"
    with pytest.raises(ConfigurationError, match="in Ray's own copy of the working directory"):
        shared_storage.check_shared(storage, ["only one"])


def test_sigterm_interrupts_what_does_not_run_yet() -> None:
    before = signal.getsignal(signal.SIGTERM)
    with pytest.raises(KeyboardInterrupt), interrupted_by_sigterm():
        signal.raise_signal(signal.SIGTERM)
    assert signal.getsignal(signal.SIGTERM) == before
