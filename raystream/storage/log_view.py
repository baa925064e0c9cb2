"""Read-only view of a job's log, for people."""

from __future__ import annotations

import os
from dataclasses import dataclass

from raystream.checkpoint.codec import decode
from raystream.checkpoint.keys import ATTEMPTS, SLOTS, done_key, number_of, slot_key
from raystream.checkpoint.protocol.slots import as_slot
from raystream.checkpoint.records import Checkpoint, Committable, Seal, SlotRecord
from raystream.errors import StorageError
from raystream.storage.base import Store
from raystream.storage.open import STORE_KEY, job_store, store_id

_TRIES = 10


@dataclass(frozen=True, slots=True)
class LogView:
    """The log of one job at one moment.

    Args:
        url: Its address.
        store_id: The 8 hex digits in its transactional ids.
        newest_attempt: The greatest attempt that has begun; -1: none.
        sealed_by: The attempt that wrote the last slot: no older one can add a slot; -1: none.
        slot: Slot of the checkpoint that the job continues from; None: there is none.
        checkpoint: Its number.
        unfinished: Transactions that this checkpoint names, until it has its `done`: the next start
            of the job commits them.
        ended: The job finished or was stopped with this checkpoint, and all of it is committed.
    """

    url: str
    store_id: str
    newest_attempt: int = -1
    sealed_by: int = -1
    slot: int | None = None
    checkpoint: int | None = None
    unfinished: tuple[Committable, ...] = ()
    ended: bool = False


def look(storage: str, job: str) -> LogView | None:
    """The log of a job; None if this storage has none of that name. Creates nothing.

    Raises:
        ConfigurationError: unknown kind of storage, or an invalid job name.
        StorageError: it cannot be read, or is damaged.
    """
    if "://" not in storage and not os.path.isdir(os.path.join(storage, job)):
        return None  # opening a directory would create it
    store = job_store(storage, job)
    if store.get(STORE_KEY) is None:
        return None
    return look_at(store)


def look_at(store: Store) -> LogView:
    """The log in a store that belongs to a job.

    Raises:
        StorageError: it cannot be read, or is damaged.
    """
    for _ in range(_TRIES):
        view = _try(store)
        if view is not None:
            return view
    what = "the log moves faster than it can be read"
    raise StorageError(what, store.url, "the job is running: try again")


def _try(store: Store) -> LogView | None:
    """None: a slot was deleted during the read, because a newer checkpoint was completed."""
    identity = store_id(store)
    attempts = max((number_of(ATTEMPTS, key) for key in store.list(ATTEMPTS)), default=-1)
    slots = sorted((number_of(SLOTS, key) for key in store.list(SLOTS)), reverse=True)
    sealed_by = -1
    for slot in slots:
        record = _read(store, slot)
        if record is None:
            return None
        sealed_by = max(sealed_by, record.owner.attempt)
        if isinstance(record, Seal):
            continue
        if not isinstance(record, Checkpoint):  # restored, or rolled back: every handle is final
            break
        done = store.get(done_key(slot)) is not None
        return LogView(
            store.url,
            identity,
            attempts,
            sealed_by,
            slot,
            record.number,
            () if done else tuple(record.committables()),
            record.final and done,
        )
    return LogView(store.url, identity, attempts, sealed_by)


def _read(store: Store, slot: int) -> SlotRecord | None:
    key = slot_key(slot)
    data = store.get(key)
    if data is None:
        return None
    return as_slot(key, decode(key, data))
