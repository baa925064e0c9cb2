"""A savepoint is whole or none, and comes back into any storage."""

from __future__ import annotations

import polars as pl
import pytest
from polars.testing import assert_frame_equal

from raystream.checkpoint.codec import encode
from raystream.checkpoint.records import (
    Checkpoint,
    Committable,
    Owner,
    Seal,
    StoredState,
)
from raystream.data.segment import Segment
from raystream.errors import ConfigurationError, StorageError
from raystream.storage.memory import MemoryStore
from raystream.storage.savepoints import (
    SAVEPOINT_KEY,
    bring_back,
    discard_savepoint,
    read_savepoint,
    write_savepoint,
)
from raystream.storage.segments import read_segment, write_segment

FRAME = pl.DataFrame({"key": ["a", "b"], "n": [1, 2]})
OTHER = pl.DataFrame({"key": ["c"], "n": [3]})


def job() -> tuple[MemoryStore, Checkpoint]:
    store = MemoryStore("job")
    first = write_segment(store, 3, "counts", 0, Segment("3-1", FRAME))
    second = write_segment(store, 4, "counts", 1, Segment("4-1", OTHER))
    committable = Committable("counts", 0, 2, ("out/0",), "handle")
    states = (
        StoredState({"watermark": 7}, (first,), committable),
        StoredState(segments=(first, second)),
    )
    return store, Checkpoint(Owner(4, "x"), 9, {"counts": states}, final=True, job={"j": 1})


def taken() -> MemoryStore:
    store, checkpoint = job()
    place = MemoryStore("savepoint")
    write_savepoint(store, place, checkpoint)
    return place


def test_a_savepoint_comes_back_into_another_storage() -> None:
    target = MemoryStore("new job")
    steps = bring_back(taken(), target, attempt=4).steps
    first, second = steps["counts"]
    assert first.header == {"watermark": 7}
    assert_frame_equal(read_segment(target, first.segments[0]).frame, FRAME)
    assert_frame_equal(read_segment(target, second.segments[0]).frame, FRAME)
    assert_frame_equal(read_segment(target, second.segments[1]).frame, OTHER)
    assert all(key.startswith("state/a4/counts/") for key in target.list(""))
    write_segment(target, 4, "counts", 1, Segment("4-1", FRAME))  # no clash with new names


def test_what_is_final_is_left_out() -> None:
    checkpoint = read_savepoint(taken())
    assert (checkpoint.number, checkpoint.job, checkpoint.final) == (9, {"j": 1}, False)
    assert checkpoint.committables() == []


def test_it_does_not_need_the_job_any_more() -> None:
    store, checkpoint = job()
    place = MemoryStore("savepoint")
    write_savepoint(store, place, checkpoint)
    store.delete(store.list(""))
    assert bring_back(place, MemoryStore(), 0).steps["counts"][0].header == {"watermark": 7}


def test_taking_it_again_changes_nothing_and_another_is_refused() -> None:
    store, checkpoint = job()
    place = MemoryStore("savepoint")
    write_savepoint(store, place, checkpoint)
    write_savepoint(store, place, checkpoint)
    with pytest.raises(ConfigurationError, match="there is another savepoint already"):
        write_savepoint(store, place, Checkpoint(Owner(4, "x"), 10, {}))


def test_a_damaged_segment_is_not_copied() -> None:
    store, checkpoint = job()
    key = checkpoint.steps["counts"][0].segments[0].key
    data = store.get(key) or b""
    store.delete([key])
    store.create(key, data[:-1] + b"?")
    place = MemoryStore("savepoint")
    with pytest.raises(StorageError, match="the checksum of the segment does not match"):
        write_savepoint(store, place, checkpoint)
    with pytest.raises(ConfigurationError, match="there is no savepoint"):
        read_savepoint(place)
    assert place.list("") == []  # nothing of the half copy stays


def test_a_place_that_holds_something_else_is_left_as_it_is() -> None:
    store, checkpoint = job()
    place = MemoryStore("savepoint")
    key = checkpoint.steps["counts"][1].segments[1].key
    place.create(key, b"of another job")
    with pytest.raises(ConfigurationError, match="there is another savepoint already"):
        write_savepoint(store, place, checkpoint)
    assert place.list("") == [key]


def test_what_is_discarded_is_gone_and_foreign_files_stay() -> None:
    place = taken()
    place.create("readme", b"mine")
    discard_savepoint(place)
    assert place.list("") == ["readme"]
    discard_savepoint(place)


def test_a_damaged_segment_does_not_come_back() -> None:
    place = taken()
    place.delete([place.list("state/")[0]])
    with pytest.raises(StorageError, match="the segment is missing"):
        bring_back(place, MemoryStore(), 0)


def test_another_record_is_no_savepoint() -> None:
    place = MemoryStore("savepoint")
    place.create(SAVEPOINT_KEY, encode(Seal(Owner(1, "x"))))
    with pytest.raises(StorageError, match="found a Seal record instead of a savepoint"):
        read_savepoint(place)


def test_a_damaged_or_newer_one_is_named_with_its_address() -> None:
    place = taken()
    data = place.get(SAVEPOINT_KEY) or b""
    for content, said in (
        (data[:-1] + b"?", "memory://savepoint/savepoint: the object is damaged"),
        (b'{"raystream_record":99,"blake2b":"0"}\n{}', "format 99 is newer than this raystream"),
    ):
        place.delete([SAVEPOINT_KEY])
        place.create(SAVEPOINT_KEY, content)
        with pytest.raises(StorageError, match=said):
            read_savepoint(place)
