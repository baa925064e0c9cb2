"""Which cluster is joined: one that was started by hand and still answers, never a leftover."""

from __future__ import annotations

import signal
import socket
from pathlib import Path

import pytest

from raystream.errors import ConfigurationError
from raystream.runtime.ray import shared_storage
from raystream.runtime.ray.cluster import attached, nodes, started_head
from raystream.runtime.signals import interrupted_by_sigterm


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


def test_an_address_where_nobody_answers_is_said_at_once() -> None:
    with socket.create_server(("127.0.0.1", 0)) as closed:
        address = f"127.0.0.1:{closed.getsockname()[1]}"
    with (
        pytest.raises(ConfigurationError, match=f"no Ray cluster answers at {address}: Connection"),
        attached(address),
    ):
        pass


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
