"""State segments in the store: Arrow IPC bytes with size and checksum; nothing is unpickled."""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from hashlib import blake2b, sha256
from typing import overload

import polars as pl

from raystream.checkpoint.keys import segment_key
from raystream.checkpoint.records import SegmentRef
from raystream.data.hidden_names import renamed
from raystream.data.ipc import from_ipc, to_ipc
from raystream.data.segment import Segment
from raystream.data.spilled import Load
from raystream.errors import StorageError
from raystream.ids import StepName
from raystream.storage.base import Put, Store

FORMAT = 1
"""Version of the bytes of a segment: Arrow IPC stream; written in front of the checksum."""


def in_memory(data: bytes) -> None:
    """There is room: segments are decoded."""


def write_segment(
    store: Store, attempt: int, step: StepName, subtask: int, segment: Segment
) -> SegmentRef:
    """Make a segment durable as `state/a<attempt>/<step>/<subtask>/<id>.arrow`.

    Raises:
        StorageError: it could not be written, or another segment has its key.
    """
    ref, data = encode_segment(attempt, step, subtask, segment)
    put_segment(store, ref, data)
    return ref


def encode_segment(
    attempt: int, step: StepName, subtask: int, segment: Segment
) -> tuple[SegmentRef, bytes]:
    """Where a segment is to be stored, and its bytes."""
    data = to_ipc(segment.frame)
    key = segment_key(attempt, step, subtask, segment.id)
    return SegmentRef(segment.id, key, len(data), checksum(data)), data


def put_segment(store: Store, ref: SegmentRef, data: bytes) -> None:
    """Create the object of a segment, unless the same object already exists.

    Raises:
        StorageError: another object has its key, or the storage does not answer.
    """
    for pause in (0.05, 0.1, 0.2, 0.4, 0.8, 1.6, 3.2, 6.4):
        answer = store.create(ref.key, data)
        if answer is Put.CREATED:
            return
        if answer is Put.EXISTS:  # from our own earlier attempt, or from another process
            if store.get(ref.key) == data:
                return
            text = "another segment has this key"
            raise StorageError(text, f"{store.url}/{ref.key}")
        time.sleep(pause)
    text = "the storage does not say whether it took a segment"
    raise StorageError(text, f"{store.url}/{ref.key}", "check that it can be reached and written")


def read_segment(store: Store, ref: SegmentRef, load: Load = in_memory) -> Segment:
    """Read a segment back, verified.

    Args:
        store: The store.
        ref: Its reference.
        load: Maps it from local disk where memory is short.

    Raises:
        StorageError: missing, wrong size, damaged, or of a newer format; names the key.
    """
    data = read_bytes(store, ref)
    mapped = load(data)
    if mapped is not None:
        return Segment(ref.id, renamed(mapped.frame), mapped.disk)
    try:
        return Segment(ref.id, renamed(from_ipc(data)))
    except (pl.exceptions.PolarsError, OSError) as error:
        text = f"the segment cannot be read: {error}"
        raise _damaged(store, ref, text) from error


class StoredSegments(Sequence[Segment]):
    """Segments that are read on each access, and not kept.

    Args:
        store: The store.
        refs: References of the segments.
        load: As of `read_segment`.
    """

    def __init__(self, store: Store, refs: Sequence[SegmentRef], load: Load = in_memory) -> None:
        self._store = store
        self._refs = refs
        self._load = load

    def __len__(self) -> int:
        """Number of segments."""
        return len(self._refs)

    def __iter__(self) -> Iterator[Segment]:
        """Iterate; only the current one need be in memory."""
        return (read_segment(self._store, ref, self._load) for ref in self._refs)

    @overload
    def __getitem__(self, index: int) -> Segment: ...

    @overload
    def __getitem__(self, index: slice) -> Sequence[Segment]: ...

    def __getitem__(self, index: int | slice) -> Segment | Sequence[Segment]:
        """Read one, or reference several."""
        if isinstance(index, slice):
            return StoredSegments(self._store, self._refs[index], self._load)
        return read_segment(self._store, self._refs[index], self._load)


def read_bytes(store: Store, ref: SegmentRef) -> bytes:
    """The bytes of a segment, their size and checksum verified.

    Raises:
        StorageError: missing, wrong size, damaged, or of a newer format; names the key.
    """
    data = store.get(ref.key)
    if data is None:
        raise _damaged(store, ref, "the segment is missing")
    if len(data) != ref.size:
        text = f"the segment has {len(data)} bytes instead of {ref.size}"
        raise _damaged(store, ref, text)
    if _checksum(data, older=_is_older(ref)) != ref.checksum:
        raise _damaged(store, ref, _mismatch(ref))
    return data


def checksum(data: bytes) -> str:
    """Format version, name of the hash, and the hash of these bytes."""
    return _checksum(data, older=False)


def _checksum(data: bytes, *, older: bool) -> str:
    """SHA-256 takes half of the time of the hash of older checkpoints: processors know it."""
    if older:
        return f"{FORMAT}:blake2b:{blake2b(data, digest_size=32).hexdigest()}"
    return f"{FORMAT}:sha256:{sha256(data).hexdigest()}"


def _is_older(ref: SegmentRef) -> bool:
    return ref.checksum.split(":")[1:2] == ["blake2b"]


def _mismatch(ref: SegmentRef) -> str:
    version = ref.checksum.partition(":")[0]
    if version.isdigit() and int(version) > FORMAT:
        return f"format {version} of the segment is newer than this raystream"
    return "the checksum of the segment does not match"


def _damaged(store: Store, ref: SegmentRef, what: str) -> StorageError:
    advice = "restore this object from a copy, or start from a savepoint or --from-scratch"
    return StorageError(what, f"{store.url}/{ref.key}", advice)
