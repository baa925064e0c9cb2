"""Reading the manifest log: the meaning of a slot, and the record from which a job continues."""

from __future__ import annotations

from dataclasses import dataclass

from raystream.checkpoint.keys import slot_key
from raystream.checkpoint.protocol.commands import Read
from raystream.checkpoint.protocol.procedure import Procedure, ask
from raystream.checkpoint.protocol.slots import as_slot, misplaced, superseded
from raystream.checkpoint.records import Checkpoint, Owner, Restore, Rollback, Seal, SlotRecord


@dataclass(frozen=True, slots=True)
class Base:
    """Where the job continues: a checkpoint or restore record and its slot; None: the start."""

    slot: int | None = None
    record: Checkpoint | Restore | None = None


def base_at(slot: int, owner: Owner) -> Procedure[Base | None]:
    """The base as of slot `slot`: the last checkpoint, restore or rollback at or below it.

    A rollback counts as the base that it names. None: a slot that must exist vanished, because a
    checkpoint above it completed meanwhile and the slots below that are being deleted.

    Raises:
        Superseded: a slot was written by a newer attempt (V1).
    """
    while slot >= 0:
        record = yield from read_slot(slot, owner)
        if record is None:
            return None
        if not isinstance(record, Seal):
            return (yield from base_of(slot, record, owner))
        slot -= 1
    return Base()


def base_of(
    slot: int, record: Checkpoint | Restore | Rollback, owner: Owner
) -> Procedure[Base | None]:
    """The base that a record other than a seal refers to; None: it vanished."""
    if not isinstance(record, Rollback):
        return Base(slot, record)
    if record.base is None:
        return Base()
    base = yield from read_slot(record.base, owner)
    if base is None:
        return None
    if not isinstance(base, Checkpoint | Restore):
        raise misplaced(slot_key(record.base), base)
    return Base(record.base, base)


def read_slot(slot: int, owner: Owner, name: str = "read log") -> Procedure[SlotRecord | None]:
    """Read one slot on behalf of `owner`; None if it is not there.

    Raises:
        Superseded: a newer attempt wrote it (V1: a lower attempt must not run after a higher one,
            whose stray abort would kill a transaction that our manifest names).
    """
    found = yield from ask(Read(slot_key(slot), name))
    if found is None:
        return None
    return not_newer(as_slot(slot_key(slot), found), owner)


def not_newer(record: SlotRecord, owner: Owner) -> SlotRecord:
    """`record`, if no newer attempt wrote it.

    Raises:
        Superseded: a newer attempt did.
    """
    if record.owner.attempt > owner.attempt:
        raise superseded(owner)
    return record
