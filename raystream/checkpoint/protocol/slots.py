"""Creating an object of the log, and looking for a newer attempt (section 8, creating a slot)."""

from __future__ import annotations

from collections.abc import Iterator

from raystream.checkpoint.keys import attempt_key, slot_key
from raystream.checkpoint.protocol.commands import Create, Read, Sleep
from raystream.checkpoint.protocol.procedure import Procedure, ask
from raystream.checkpoint.records import (
    AttemptRecord,
    Done,
    Owner,
    Record,
    SlotRecord,
)
from raystream.checkpoint.verdicts import Put
from raystream.errors import StorageError, Superseded

_TRIES = 20
"""How many times storage may contradict itself about whether an object exists, 34 s in all."""


def create_slot(slot: int, record: SlotRecord, kind: str) -> Procedure[None]:
    """Append `record` to the log as slot `slot`: the head known to its owner, plus one.

    Once this returns, the record is in effect: its owner may act on it.

    Args:
        slot: The slot.
        record: What to write; its owner is the caller.
        kind: `manifest`, `rollback` or `restore`: used in the names of the points.

    Raises:
        Superseded: another attempt has the slot, or a newer attempt exists.
        StorageError: storage keeps reporting that the slot exists and that it does not.
    """
    found = yield from _put_until_read(slot_key(slot), record, kind)
    if found.owner != record.owner:  # 1: own attempt and nonce, or SUPERSEDED
        raise superseded(record.owner)
    yield from look_for_newer(record.owner)  # 2, V2


def _put_until_read(key: str, record: SlotRecord, kind: str) -> Procedure[Record]:
    """Retry if the object vanished; first look for a newer attempt, since only that one deletes."""
    for _, pause in zip(range(_TRIES), pauses(), strict=False):
        found = yield from put(key, record, f"create {kind}", f"read {kind}")
        if found is not None:
            return found
        yield from look_for_newer(record.owner)
        yield from ask(Sleep(pause))
    what = "the storage says that this object exists, and that it does not"
    raise StorageError(what, key, "see what else writes or deletes there, and run the job again")


def put(key: str, record: Record, create: str, read: str) -> Procedure[Record | None]:
    """Create `key` and return what is there now: `record`, or what another attempt wrote.

    None: there was another object, and it vanished before it could be read.
    """
    answer = yield from create_until_known(key, record, create)
    if answer is Put.CREATED:
        return record
    return (yield from ask(Read(key, read)))


def create_until_known(key: str, record: Record, name: str) -> Procedure[Put]:
    """Repeat the conditional create until the answer is CREATED or EXISTS (V5).

    A read that finds nothing is not conclusive: the delayed put may still arrive.
    """
    for pause in pauses():
        answer = yield from ask(Create(key, record, name))
        if answer is not Put.UNKNOWN:
            return answer
        yield from ask(Sleep(pause))
    raise AssertionError(key)


def look_for_newer(owner: Owner, name: str = "look for newer") -> Procedure[None]:
    """Check whether the attempt after ours exists.

    Attempt numbers have no gaps and are never deleted, so one read is enough.

    Raises:
        Superseded: it does.
    """
    newer = yield from ask(Read(attempt_key(owner.attempt + 1), name))
    if newer is not None:
        raise superseded(owner)


def superseded(owner: Owner) -> Superseded:
    """The error of an attempt that found a newer one and sends nothing more."""
    what = f"attempt {owner.attempt} was superseded by a newer attempt of the same job"
    return Superseded(what, what_to_do="nothing is wrong: the newer attempt continues from here")


def as_slot(key: str, record: Record) -> SlotRecord:
    """`record` as a slot of the log.

    Raises:
        StorageError: it is not a slot record.
    """
    if isinstance(record, AttemptRecord | Done):
        raise misplaced(key, record)
    return record


def misplaced(key: str, record: Record) -> StorageError:
    """The error for a record of the wrong kind under `key`."""
    what = f"found a {type(record).__name__} record, which does not belong there"
    return StorageError(what, key, "the storage was tampered with: restore it from a copy")


def pauses(first: float = 0.05, longest: float = 2.0) -> Iterator[float]:
    """Seconds to wait before the next try: doubles up to `longest`, without end.

    >>> from itertools import islice
    >>> list(islice(pauses(), 7))
    [0.05, 0.1, 0.2, 0.4, 0.8, 1.6, 2.0]
    """
    pause = first
    while True:
        yield pause
        pause = min(pause * 2, longest)
