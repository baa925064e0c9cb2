"""Savepoints: copy a committed checkpoint to its own location, and restore it from there."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterable, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import replace
from hashlib import blake2b
from typing import TypeVar

from raystream.checkpoint.codec import decode, encode
from raystream.checkpoint.keys import segment_key
from raystream.checkpoint.records import Checkpoint, SegmentRef, StoredState
from raystream.errors import ConfigurationError, StorageError
from raystream.ids import StepName
from raystream.storage.base import Put, Store
from raystream.storage.open import refuse_mistyped
from raystream.storage.segments import read_bytes

T = TypeVar("T")

_COPIES = 4
"""Segments that are copied concurrently; each is held in memory."""

SAVEPOINT_KEY = "savepoint"
"""The object that makes a savepoint valid: written last, so that a partial copy is none."""


def absolute(address: str) -> str:
    """Absolute address of a savepoint, valid in other processes, too.

    Raises:
        ConfigurationError: it is a mistyped URL.

    >>> absolute("s3://bucket/sale/7"), absolute("/data/sale/7/")
    ('s3://bucket/sale/7', '/data/sale/7')
    """
    refuse_mistyped(address)
    return address if "://" in address else os.path.abspath(os.path.expanduser(address))


def refuse_unfit(address: str | None) -> None:
    """Refuse addresses where other processes cannot write: relative paths differ between them.

    Args:
        address: Empty, None: not set.

    Raises:
        ConfigurationError: it is a relative path, or in memory.
    """
    if address and address.startswith("memory://"):
        what = "a savepoint in memory would end with this process"
        raise ConfigurationError(what, address, "give a directory, or a URL of object storage")
    if address and not ("://" in address or os.path.isabs(address)):
        what = f"{address} is not an absolute path"
        raise ConfigurationError(what, what_to_do="write the whole path, or a URL")


def check_exists(address: str) -> None:
    """Refuse a path without a directory: opening it as a store would create one.

    Raises:
        ConfigurationError: there is none.
    """
    path = address.removeprefix("file://")
    if "://" not in path and not os.path.isdir(path):
        raise _missing(address)


def write_savepoint(source: Store, target: Store, checkpoint: Checkpoint) -> None:
    """Copy a committed checkpoint with all its segments, verified, to an empty location.

    Run it before the checkpoint may be cleaned up. Its committables are final and omitted. A copy
    that fails deletes what it has written.

    Raises:
        ConfigurationError: the location is not empty.
        StorageError: a segment is damaged, or a storage cannot be used.
    """
    kept = {
        step: tuple(replace(state, committable=None) for state in states)
        for step, states in checkpoint.steps.items()
    }
    data = encode(replace(checkpoint, steps=kept, final=False))
    there = target.get(SAVEPOINT_KEY)
    if there is not None:
        if there != data:
            raise _taken(target)
        return
    mine: list[str] = []
    try:
        _each(lambda ref: _copy(source, target, ref, mine), _segments(kept))
        if not _put(target, SAVEPOINT_KEY, data):
            raise _taken(target)
    except BaseException:
        with suppress(StorageError):
            target.delete(mine)
        raise


def read_savepoint(store: Store) -> Checkpoint:
    """The checkpoint that a savepoint holds.

    Raises:
        ConfigurationError: there is no savepoint.
        StorageError: it is damaged, or of a newer raystream.
    """
    data = store.get(SAVEPOINT_KEY)
    if data is None:
        raise _missing(store.url)
    record = decode(f"{store.url}/{SAVEPOINT_KEY}", data)
    if not isinstance(record, Checkpoint):
        what = f"found a {type(record).__name__} record instead of a savepoint"
        raise StorageError(what, store.url)
    return record


def bring_back(savepoint: Store, target: Store, attempt: int) -> Checkpoint:
    """Copy the segments of a savepoint into a job's storage as files of `attempt`.

    Run it between `recover` and the procedure `restore`, which takes the result.

    Returns:
        The savepoint, with its state at the new location.

    Raises:
        ConfigurationError: there is no savepoint.
        StorageError: it is damaged, or a storage cannot be used.
    """
    record = read_savepoint(savepoint)
    copies: list[tuple[SegmentRef, SegmentRef]] = []

    def moved(step: StepName, subtask: int, state: StoredState) -> StoredState:
        new = tuple(_at_home(ref, attempt, step, subtask) for ref in state.segments)
        copies.extend(zip(state.segments, new, strict=True))
        return replace(state, segments=new)

    steps = {
        step: tuple(moved(step, subtask, state) for subtask, state in enumerate(states))
        for step, states in record.steps.items()
    }
    _each(lambda copy: _bring(savepoint, target, *copy), copies)
    return replace(record, steps=steps)


def discard_savepoint(store: Store) -> None:
    """Delete a savepoint, starting with its manifest. Other files are untouched.

    Raises:
        StorageError: it is damaged, or cannot be deleted.
    """
    data = store.get(SAVEPOINT_KEY)
    if data is None:
        return
    segments = _segments(read_savepoint(store).steps)
    store.delete([SAVEPOINT_KEY])
    store.delete([ref.key for ref in segments])


def _at_home(ref: SegmentRef, attempt: int, step: StepName, subtask: int) -> SegmentRef:
    """Rename a segment of another storage: this attempt may be about to use its id."""
    name = f"restored-{blake2b(ref.key.encode(), digest_size=8).hexdigest()}"
    return replace(ref, id=name, key=segment_key(attempt, step, subtask, name))


def _bring(savepoint: Store, target: Store, there: SegmentRef, here: SegmentRef) -> None:
    if not _put(target, here.key, read_bytes(savepoint, there)):
        what = "another segment has this key"
        raise StorageError(what, f"{target.url}/{here.key}")


def _each(do: Callable[[T], None], items: Iterable[T]) -> None:
    """Run a few concurrently: requests to a cloud wait for answers, and memory is bounded."""
    with ThreadPoolExecutor(_COPIES, "raystream-copy") as pool:
        for _ in pool.map(do, items):
            pass


def _segments(steps: Mapping[StepName, tuple[StoredState, ...]]) -> dict[SegmentRef, None]:
    refs = (ref for states in steps.values() for state in states for ref in state.segments)
    return dict.fromkeys(refs)


def _copy(source: Store, target: Store, ref: SegmentRef, mine: list[str]) -> None:
    data = read_bytes(source, ref)
    if target.get(ref.key) == data:
        return  # of an earlier try
    mine.append(ref.key)
    if not _put(target, ref.key, data):
        mine.remove(ref.key)
        raise _taken(target)


def _missing(address: str) -> ConfigurationError:
    advice = (
        "give the address that was told when it was taken (a run with --claim deletes it after "
        "its first checkpoint)"
    )
    return ConfigurationError("there is no savepoint", address, advice)


def _taken(target: Store) -> ConfigurationError:
    what = "there is another savepoint already"
    return ConfigurationError(what, target.url, "choose another place")


def _put(store: Store, key: str, data: bytes) -> bool:
    """Create, or find the same bytes there; False: there are different bytes."""
    for pause in (0.05, 0.1, 0.2, 0.4, 0.8, 1.6, 3.2, 6.4):
        answer = store.create(key, data)
        if answer is not Put.UNKNOWN:
            return answer is Put.CREATED or store.get(key) == data
        time.sleep(pause)
    what = "the storage does not say whether it took an object"
    raise StorageError(what, f"{store.url}/{key}", "check that it can be reached and written")
