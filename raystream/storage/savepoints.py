"""Savepoints: a committed checkpoint copied to a place of its own, and brought back from there."""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import replace
from hashlib import blake2b

from raystream.checkpoint.codec import decode, encode
from raystream.checkpoint.keys import segment_key
from raystream.checkpoint.records import Checkpoint, SegmentRef, StoredState
from raystream.errors import ConfigurationError, StorageError
from raystream.ids import StepName
from raystream.storage.base import Put, Store
from raystream.storage.segments import read_bytes

SAVEPOINT_KEY = "savepoint"
"""The object that makes a savepoint: written last, so that a half copy is none."""


def write_savepoint(source: Store, target: Store, checkpoint: Checkpoint) -> None:
    """Copy a committed checkpoint with all its segments, verified, into an empty place.

    Run it before the checkpoint may be cleaned up. Its committables are final and left out.

    Raises:
        ConfigurationError: there is another savepoint already.
        StorageError: a segment is damaged, or a storage can not be used.
    """
    kept = {
        step: tuple(replace(state, committable=None) for state in states)
        for step, states in checkpoint.steps.items()
    }
    for ref in _segments(kept):
        _put(target, ref.key, read_bytes(source, ref))
    data = encode(replace(checkpoint, steps=kept, final=False))
    if not _put(target, SAVEPOINT_KEY, data):
        what = "there is another savepoint already"
        raise ConfigurationError(what, target.url, "choose another place")


def read_savepoint(store: Store) -> Checkpoint:
    """The checkpoint that a savepoint holds.

    Raises:
        ConfigurationError: there is no savepoint.
        StorageError: it is damaged.
    """
    data = store.get(SAVEPOINT_KEY)
    if data is None:
        what = "there is no savepoint"
        raise ConfigurationError(what, store.url, "give the address that was used to take it")
    record = decode(SAVEPOINT_KEY, data)
    if not isinstance(record, Checkpoint):
        what = f"found a {type(record).__name__} record instead of a savepoint"
        raise StorageError(what, store.url)
    return record


def bring_back(
    savepoint: Store, target: Store, attempt: int
) -> dict[StepName, tuple[StoredState, ...]]:
    """Copy the segments of a savepoint into a job's storage as files of `attempt`.

    Run it between `recover` and the procedure `restore`, which takes the result.

    Raises:
        ConfigurationError: there is no savepoint.
        StorageError: it is damaged, or a storage can not be used.
    """
    return {
        step: tuple(
            _brought_back(savepoint, target, attempt, step, subtask, state)
            for subtask, state in enumerate(states)
        )
        for step, states in read_savepoint(savepoint).steps.items()
    }


def _brought_back(
    savepoint: Store, target: Store, attempt: int, step: StepName, subtask: int, state: StoredState
) -> StoredState:
    refs = []
    for ref in state.segments:
        # of another storage: its id may be one that this attempt is about to give
        tag = blake2b(ref.key.encode(), digest_size=8).hexdigest()
        name = f"restored-{tag}"
        key = segment_key(attempt, step, subtask, name)
        _put(target, key, read_bytes(savepoint, ref))
        refs.append(replace(ref, id=name, key=key))
    return replace(state, segments=tuple(refs))


def _segments(steps: Mapping[StepName, tuple[StoredState, ...]]) -> dict[SegmentRef, None]:
    refs = (ref for states in steps.values() for state in states for ref in state.segments)
    return dict.fromkeys(refs)


def _put(store: Store, key: str, data: bytes) -> bool:
    """Create, or find the same bytes there; False: other bytes are there."""
    for pause in (0.05, 0.1, 0.2, 0.4, 0.8, 1.6, 3.2, 6.4):
        answer = store.create(key, data)
        if answer is not Put.UNKNOWN:
            return answer is Put.CREATED or store.get(key) == data
        time.sleep(pause)
    what = "the storage does not say whether it took an object"
    raise StorageError(what, f"{store.url}/{key}", "check that it can be reached and written")
