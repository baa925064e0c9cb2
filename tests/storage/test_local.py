"""What a directory adds to the contract: durability, links, unknown outcomes."""

from __future__ import annotations

import errno
import os
import resource
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from raystream.errors import StorageError
from raystream.storage.base import Put
from raystream.storage.local import LocalStore


@pytest.fixture
def store(tmp_path: Path) -> LocalStore:
    return LocalStore(tmp_path / "job")


def failing(number: int) -> Callable[..., None]:
    def fail(*args: Any, **kwargs: Any) -> None:
        raise OSError(number, os.strerror(number))

    return fail


def test_two_openers_see_the_same(tmp_path: Path) -> None:
    LocalStore(tmp_path / "job").create("m-1", b"x")
    assert LocalStore(tmp_path / "job").get("m-1") == b"x"


def test_no_temporary_file_stays(store: LocalStore) -> None:
    store.create("m-1", b"x")
    store.create("m-1", b"y")
    assert list((Path(store.url) / ".tmp").iterdir()) == []
    assert store.list("") == ["m-1"]


def test_a_write_that_does_not_fit_leaves_nothing(store: LocalStore) -> None:
    """A full disk would stay full: each try left what it had written."""
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, hard))
    try:
        for _ in range(3):
            with pytest.raises(StorageError, match="File too large"):
                store.create("state/a1/counts/0/1-0.arrow", bytes(1_000_000))
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    assert list((Path(store.url) / ".tmp").iterdir()) == []
    assert store.create("m-1", b"x") is Put.CREATED


def test_only_its_user_may_read_it(tmp_path: Path) -> None:
    old = os.umask(0)
    try:
        LocalStore(tmp_path / "checkpoints" / "job").create("state/a1/counts/0/1-0.arrow", b"x")
    finally:
        os.umask(old)
    modes = {path: path.stat().st_mode & 0o777 for path in tmp_path.rglob("*")}
    assert len(modes) == 8
    assert all(mode == (0o700 if path.is_dir() else 0o600) for path, mode in modes.items())


def test_the_object_is_synced_before_its_name_and_the_directory_after(
    store: LocalStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    story: list[str] = []
    fsync, link = os.fsync, os.link

    def watched_fsync(handle: int) -> None:
        story.append("sync directory" if os.path.isdir(f"/proc/self/fd/{handle}") else "sync file")
        fsync(handle)

    def watched_link(*args: Any, **kwargs: Any) -> None:
        story.append("link")
        link(*args, **kwargs)

    monkeypatch.setattr(os, "fsync", watched_fsync)
    monkeypatch.setattr(os, "link", watched_link)
    store.create("m-1", b"x")
    assert story == ["sync file", "link", "sync directory"]


def test_a_failed_sync_of_the_directory_is_an_unknown_outcome(
    store: LocalStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    fsync = os.fsync

    def fail_on_directories(handle: int) -> None:
        if os.path.isdir(f"/proc/self/fd/{handle}"):
            raise OSError(errno.EIO, "I/O error")
        fsync(handle)

    with monkeypatch.context() as patched:
        patched.setattr(os, "fsync", fail_on_directories)
        assert store.create("m-1", b"x") is Put.UNKNOWN
    assert store.create("m-1", b"x") is Put.EXISTS


def test_a_link_that_may_have_happened_is_an_unknown_outcome(
    store: LocalStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as patched:
        patched.setattr(os, "link", failing(errno.EIO))
        assert store.create("m-1", b"x") is Put.UNKNOWN
    assert store.create("m-1", b"x") is Put.CREATED


@pytest.mark.parametrize(
    ("number", "advice"),
    [(errno.ENOSPC, "free space on the disk"), (errno.EPERM, "file system with hard links")],
)
def test_a_link_that_can_not_have_happened_is_an_error_with_advice(
    store: LocalStore, monkeypatch: pytest.MonkeyPatch, number: int, advice: str
) -> None:
    monkeypatch.setattr(os, "link", failing(number))
    with pytest.raises(StorageError, match=advice) as caught:
        store.create("m-1", b"x")
    assert caught.value.where.endswith("/job/m-1")


def test_a_link_whose_answer_was_lost_is_created(
    store: LocalStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    link = os.link

    def link_twice(*args: Any, **kwargs: Any) -> None:  # as NFS does when it repeats a request
        link(*args, **kwargs)
        link(*args, **kwargs)

    monkeypatch.setattr(os, "link", link_twice)
    assert store.create("m-1", b"x") is Put.CREATED


def test_a_full_disk_leaves_nothing(store: LocalStore, monkeypatch: pytest.MonkeyPatch) -> None:
    with monkeypatch.context() as patched:
        patched.setattr(os, "fsync", failing(errno.ENOSPC))
        with pytest.raises(StorageError, match="free space"):
            store.create("m-1", b"x")
    assert store.get("m-1") is None


def test_a_planted_link_is_not_followed(store: LocalStore, tmp_path: Path) -> None:
    secret = tmp_path / "secret"
    secret.write_bytes(b"secret")
    root = Path(store.url)
    (root / "m-1").symlink_to(secret)
    with pytest.raises(StorageError, match="remove the symbolic link"):
        store.get("m-1")
    with pytest.raises(StorageError, match="remove the symbolic link"):
        store.list("m-")
    assert store.create("m-1", b"x") is Put.EXISTS
    assert secret.read_bytes() == b"secret"


def test_a_planted_directory_link_is_not_followed(store: LocalStore, tmp_path: Path) -> None:
    outside = tmp_path / "outside"
    outside.mkdir()
    (outside / "x.arrow").write_bytes(b"keep")
    (Path(store.url) / "state").symlink_to(outside)
    with pytest.raises(StorageError):
        store.create("state/y.arrow", b"x")
    with pytest.raises(StorageError):
        store.get("state/x.arrow")
    with pytest.raises(StorageError):
        store.list("state/")
    with pytest.raises(StorageError):
        store.delete(["state/x.arrow"])
    assert sorted(path.name for path in outside.iterdir()) == ["x.arrow"]


def test_a_directory_is_no_object(store: LocalStore) -> None:
    (Path(store.url) / "m-1").mkdir()
    with pytest.raises(StorageError):
        store.get("m-1")


def test_foreign_files_are_not_listed(store: LocalStore) -> None:
    (Path(store.url) / ".hidden").write_bytes(b"x")
    (Path(store.url) / "with space").write_bytes(b"x")
    store.create("m-1", b"x")
    assert store.list("") == ["m-1"]


def test_old_leftovers_of_killed_writers_are_removed_when_opening(store: LocalStore) -> None:
    folder = Path(store.url) / ".tmp"
    (folder / "old").write_bytes(b"x")
    (folder / "new").write_bytes(b"x")
    os.utime(folder / "old", (0, 0))
    LocalStore(store.url)
    assert [path.name for path in folder.iterdir()] == ["new"]


def test_empty_directories_go_with_their_last_object(store: LocalStore) -> None:
    store.create("state/a1/s/0/x.arrow", b"x")
    store.create("state/a2/s/0/x.arrow", b"x")
    store.delete(["state/a1/s/0/x.arrow"])
    assert [path.name for path in (Path(store.url) / "state").iterdir()] == ["a2"]


def test_a_place_that_can_not_be_made_says_so(tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"x")
    with pytest.raises(StorageError) as caught:
        LocalStore(tmp_path / "file" / "job")
    assert "in the way" in str(caught.value)
    with pytest.raises(StorageError) as caught:
        LocalStore(Path("/proc/nowhere"))
    assert str(caught.value) == "/proc/nowhere: No such file or directory; check the address"
