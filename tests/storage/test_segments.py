"""Segments come back as they were, or not at all."""

from __future__ import annotations

import pickle
import weakref
from dataclasses import replace
from hashlib import blake2b
from pathlib import Path

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st
from polars.testing import assert_frame_equal

from raystream.checkpoint.records import SegmentRef
from raystream.data.segment import Segment
from raystream.data.spilled import Spilled
from raystream.errors import StorageError
from raystream.ids import HIDDEN
from raystream.operators.window.panes import PANE
from raystream.storage.base import Put
from raystream.storage.memory import MemoryStore
from raystream.storage.segments import StoredSegments, checksum, read_segment, write_segment
from raystream.storage.spill_directory import SpillDirectory

SEGMENT = Segment("3-1", pl.DataFrame({"key": ["a", "b", None], "n": [1, 2, 3]}))


def written(store: MemoryStore, segment: Segment = SEGMENT) -> SegmentRef:
    return write_segment(store, 3, "counts", 0, segment)


def test_a_segment_comes_back() -> None:
    store = MemoryStore()
    ref = written(store)
    assert ref.key == "state/a3/counts/0/3-1.arrow"
    assert_frame_equal(read_segment(store, ref).frame, SEGMENT.frame)
    assert read_segment(store, ref).id == "3-1"


@given(st.lists(st.tuples(st.text(), st.integers(-(2**63), 2**63 - 1) | st.none())))
def test_any_rows_come_back(rows: list[tuple[str, int | None]]) -> None:
    frame = pl.DataFrame(rows, schema={"k": pl.String, "n": pl.Int64}, orient="row")
    store = MemoryStore()
    ref = written(store, Segment("3-2", frame))
    assert_frame_equal(read_segment(store, ref).frame, frame)


@given(st.data())
def test_any_changed_byte_is_found(data: st.DataObject) -> None:
    store = MemoryStore()
    ref = written(store)
    content = bytearray(store.get(ref.key) or b"")
    place = data.draw(st.integers(0, len(content) - 1))
    content[place] ^= data.draw(st.integers(1, 255))
    damaged = MemoryStore()
    damaged.create(ref.key, bytes(content))
    with pytest.raises(StorageError, match="checksum of the segment does not match") as caught:
        read_segment(damaged, ref)
    assert ref.key in caught.value.where


def test_a_cut_segment_and_a_missing_one_are_found() -> None:
    store, cut = MemoryStore(), MemoryStore()
    ref = written(store)
    with pytest.raises(StorageError, match="is missing"):
        read_segment(MemoryStore(), ref)
    cut.create(ref.key, (store.get(ref.key) or b"")[:-1])
    with pytest.raises(StorageError, match=f"bytes instead of {ref.size}"):
        read_segment(cut, ref)


def test_a_newer_format_is_named() -> None:
    store = MemoryStore()
    ref = written(store)
    newer = replace(ref, checksum="2:" + ref.checksum.partition(":")[2])
    with pytest.raises(StorageError, match="format 2 of the segment is newer"):
        read_segment(store, newer)


class Bomb:
    """Leaves a trace if it is ever unpickled."""

    exploded: list[str] = []

    def __reduce__(self) -> tuple[object, tuple[str]]:
        return Bomb.exploded.append, ("boom",)


def test_a_planted_pickle_is_never_loaded() -> None:
    store = MemoryStore()
    planted = pickle.dumps(Bomb())
    key = "state/a3/counts/0/3-1.arrow"
    store.create(key, planted)
    with pytest.raises(StorageError, match="cannot be read"):
        read_segment(store, SegmentRef("3-1", key, len(planted), checksum(planted)))
    assert Bomb.exploded == []


class Doubtful(MemoryStore):
    """The first answer is lost, the object is there."""

    def create(self, key: str, data: bytes) -> Put:
        answer = super().create(key, data)
        return Put.UNKNOWN if answer is Put.CREATED else answer


def test_an_unknown_put_is_repeated() -> None:
    store = Doubtful()
    assert_frame_equal(read_segment(store, written(store)).frame, SEGMENT.frame)


def test_another_segment_under_the_same_key_is_an_error() -> None:
    store = MemoryStore()
    written(store)
    with pytest.raises(StorageError, match="another segment has this key"):
        written(store, Segment("3-1", pl.DataFrame({"key": ["z"]})))


def test_hidden_columns_of_the_first_version_are_found_under_their_new_names() -> None:
    """Two underscores were a prefix of the engine; since then they are the user's."""
    store = MemoryStore()
    old = pl.DataFrame({"__pane": [0], "ip": ["a"], "__agg:n": [2], "__rows": [2]})
    read = read_segment(store, written(store, Segment("1-0", old))).frame
    assert read.columns == [PANE, "ip", f"{HIDDEN}agg:n", f"{HIDDEN}rows"]
    new = pl.DataFrame({PANE: [0], "__pane": ["a"], "__op": ["c"], f"{HIDDEN}rows": [2]})
    assert_frame_equal(read_segment(store, written(store, Segment("1-1", new))).frame, new)


def test_the_checksum_of_older_checkpoints_is_verified_too() -> None:
    store = MemoryStore()
    ref = written(store)
    data = store.get(ref.key)
    assert data is not None
    digest = blake2b(data, digest_size=32).hexdigest()
    older = replace(ref, checksum=f"1:blake2b:{digest}")
    assert_frame_equal(read_segment(store, older).frame, SEGMENT.frame)
    with pytest.raises(StorageError, match="checksum of the segment does not match"):
        read_segment(store, replace(ref, checksum=f"1:blake2b:{digest[::-1]}"))


def test_segments_are_mapped_where_memory_is_short(tmp_path: Path) -> None:
    store, spills = MemoryStore(), SpillDirectory(tmp_path, "one")
    refs = [written(store, Segment(f"3-{n}", pl.DataFrame({"n": [n]}))) for n in range(3)]
    given: list[bytes] = []

    def load(data: bytes) -> Spilled | None:
        given.append(data)
        return spills.load(data) if len(given) > 1 else None

    found = list(StoredSegments(store, refs, load))
    assert [each.frame["n"].to_list() for each in found] == [[0], [1], [2]]
    assert [each.disk for each in found] == [0, refs[1].size, refs[2].size]
    spills.close()


def test_stored_segments_are_read_one_by_one_and_not_kept() -> None:
    store, seen = MemoryStore(), []
    refs = [written(store, Segment(f"3-{n}", pl.DataFrame({"n": [n]}))) for n in range(3)]
    get = store.get
    store.get = lambda key: (seen.append(key), get(key))[1]  # type: ignore[method-assign]
    segments = StoredSegments(store, refs)
    assert len(segments) == 3
    assert seen == []
    alive = iter(segments)
    first = weakref.ref(next(alive).frame)
    assert len(seen) == 1
    assert next(alive).id == "3-1"
    assert first() is None
    assert [one.id for one in segments[1:]] == ["3-1", "3-2"]
    assert segments[2].frame["n"].to_list() == [2]
