"""One contract for all stores."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
from obstore.store import LocalStore as BucketInDirectory
from obstore.store import MemoryStore as BucketInMemory

from raystream.errors import StorageError
from raystream.storage.base import Put, Store
from raystream.storage.local import LocalStore
from raystream.storage.memory import MemoryStore
from raystream.storage.obstore import ObjectStore
from raystream.storage.open import open_store


@pytest.fixture(params=["local", "memory", "bucket", "bucket in a directory", "s3"])
def store(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Store]:
    match request.param:
        case "local":
            yield LocalStore(tmp_path / "job")
        case "memory":
            yield MemoryStore("test")
        case "bucket":
            yield ObjectStore(BucketInMemory(), "test://bucket")
        case "s3":
            yield open_store(f"{request.getfixturevalue('bucket')}/checkpoints")
        case _:
            yield ObjectStore(BucketInDirectory(tmp_path), "test://directory")


def test_an_object_is_created_once(store: Store) -> None:
    assert store.create("m-0000000000", b"first") is Put.CREATED
    assert store.create("m-0000000000", b"second") is Put.EXISTS
    assert store.get("m-0000000000") == b"first"


def test_an_absent_object_is_none(store: Store) -> None:
    assert store.get("m-0000000000") is None
    assert store.get("state/a0/counts/0/0-1.arrow") is None


def test_an_empty_object_is_an_object(store: Store) -> None:
    assert store.create("empty", b"") is Put.CREATED
    assert store.create("empty", b"x") is Put.EXISTS
    assert store.get("empty") == b""


def test_a_listing_is_sorted_and_cut_by_prefix(store: Store) -> None:
    for key in ("m-2", "m-10", "done-2", "state/a1/s/0/x.arrow", "state/a10/s/0/y.arrow"):
        store.create(key, b"x")
    assert store.list("m-") == ["m-10", "m-2"]
    assert store.list("done-") == ["done-2"]
    assert store.list("state/") == ["state/a1/s/0/x.arrow", "state/a10/s/0/y.arrow"]
    assert store.list("state/a1/") == ["state/a1/s/0/x.arrow"]
    assert store.list("state/a1") == ["state/a1/s/0/x.arrow", "state/a10/s/0/y.arrow"]
    assert store.list("sta") == ["state/a1/s/0/x.arrow", "state/a10/s/0/y.arrow"]
    assert store.list("nothing") == []
    assert store.list("nothing/at/all") == []
    assert len(store.list("")) == 5


def test_a_deleted_object_is_gone_and_can_be_made_again(store: Store) -> None:
    store.create("state/a1/s/0/x.arrow", b"1")
    store.create("m-1", b"1")
    store.delete(["m-1", "absent", "state/a1/s/0/x.arrow"])
    assert store.list("") == []
    assert store.get("m-1") is None
    assert store.create("m-1", b"2") is Put.CREATED
    assert store.create("state/a1/s/0/x.arrow", b"2") is Put.CREATED


def test_deleting_nothing_is_no_error(store: Store) -> None:
    store.delete([])
    store.delete(["absent"])


@pytest.mark.parametrize("key", ["", "/etc/passwd", "../x", "a/../x", "a//b", "a/", ".tmp/x", "ä"])
def test_a_key_that_could_leave_the_root_is_refused(store: Store, key: str) -> None:
    with pytest.raises(StorageError, match="is not a valid object name"):
        store.create(key, b"x")
    with pytest.raises(StorageError, match="is not a valid object name"):
        store.get(key)
    with pytest.raises(StorageError, match="is not a valid object name"):
        store.delete([key])


def test_of_many_who_create_at_once_one_wins(store: Store) -> None:
    answers: list[tuple[Put, bytes]] = []
    ready = threading.Barrier(8)

    def create(mine: bytes) -> None:
        ready.wait()
        answers.append((store.create("dir/slot", mine), mine))

    threads = [threading.Thread(target=create, args=(b"%d" % i,)) for i in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    winners = [mine for answer, mine in answers if answer is Put.CREATED]
    assert [store.get("dir/slot")] == winners
    assert sum(answer is Put.EXISTS for answer, _ in answers) == 7


def test_the_url_names_the_place(store: Store) -> None:
    assert store.url
    assert isinstance(repr(store), str)
