"""Recovery, steps 1 to 3: take an attempt number, seal the log, finish what the base names."""

from __future__ import annotations

from dataclasses import dataclass

from raystream.checkpoint.keys import ATTEMPTS, SLOTS, attempt_key, done_key, number_of, slot_key
from raystream.checkpoint.protocol.commands import ListKeys, Read, Sleep
from raystream.checkpoint.protocol.log import Base, base_at, base_of, not_newer
from raystream.checkpoint.protocol.procedure import Procedure, ask
from raystream.checkpoint.protocol.resolve import RECOVERY, RolledBack, resolve
from raystream.checkpoint.protocol.slots import as_slot, look_for_newer, pauses, put
from raystream.checkpoint.records import (
    AttemptRecord,
    Checkpoint,
    Committable,
    Owner,
    Restore,
    Seal,
)
from raystream.errors import StorageError

_TRIES = 20


@dataclass(frozen=True, slots=True)
class Recovered:
    """Our attempt owns the log, and every transaction named in it is final.

    Args:
        owner: Our attempt number and nonce.
        head: Last slot of the log; the next checkpoint goes to `head + 1`.
        base: What to restore: a checkpoint (its `done` is durable), a restore record, or None: the
            start.
        base_slot: Slot of the base.
        lost: What was given up by `--accept-loss` in this recovery.
    """

    owner: Owner
    head: int
    base: Checkpoint | Restore | None = None
    base_slot: int | None = None
    lost: tuple[Committable, ...] = ()

    @property
    def next_checkpoint(self) -> int:
        """Number of the next checkpoint."""
        return 1 if self.base is None else self.base.number + 1

    @property
    def finished(self) -> bool:
        """Whether the last checkpoint is flagged final: the job ended with it, or was stopped."""
        return isinstance(self.base, Checkpoint) and self.base.final


@dataclass(frozen=True, slots=True)
class SealedLog:
    """The log after our seal in slot `head`."""

    head: int
    base: Base


def recover(nonce: str, *, accept_loss: bool = False) -> Procedure[Recovered]:
    """Start an attempt: steps 1 to 3 of recovery. Start and restart are the same.

    Args:
        nonce: Random text, new for each call.
        accept_loss: Continue without transactions that cannot be committed any more.

    Raises:
        Superseded: a newer attempt exists.
        OutputLost: the base names a transaction that cannot be committed any more.
        JobFailed: the broker refuses to commit, or is stuck; nothing is lost.
        StorageError: the log is damaged.
    """
    owner = yield from claim_attempt(nonce)  # 1
    log = yield from seal_log(owner)  # 2
    return (yield from _settle(owner, log, accept_loss=accept_loss))  # 3


def claim_attempt(nonce: str) -> Procedure[Owner]:
    """1. Create `attempt-k`; try k+1 only when attempt-k exists."""
    keys = yield from ask(ListKeys(ATTEMPTS, "list attempts"))
    attempt = 1 + max((number_of(ATTEMPTS, key) for key in keys), default=-1)
    while True:
        owner = Owner(attempt, nonce)
        key = attempt_key(attempt)
        found = yield from put(key, AttemptRecord(owner), "create attempt", "read attempt")
        if found is None:  # attempt keys are never deleted
            what = "the object vanished"
            raise StorageError(what, key, "attempt objects must be kept for ever")
        if found.owner == owner:
            return owner
        attempt += 1


def seal_log(owner: Owner) -> Procedure[SealedLog]:
    """2. Find the base and append our seal: no older attempt can add a slot after it.

    Raises:
        Superseded: a newer attempt exists.
        StorageError: the base is permanently gone.
    """
    for _, pause in zip(range(_TRIES), pauses(), strict=False):
        sealed = yield from _try_to_seal(owner)
        if sealed is not None:
            yield from look_for_newer(owner, "recover look for newer")  # V2
            return sealed
        yield from ask(Sleep(pause))  # base vanished: list again; never start empty
    what = "the last checkpoint is gone, though later slots are there"
    raise StorageError(what, slot_key(0), "restore the storage from a copy")


def _try_to_seal(owner: Owner) -> Procedure[SealedLog | None]:
    keys = yield from ask(ListKeys(SLOTS, "list log"))
    head = max((number_of(SLOTS, key) for key in keys), default=-1)  # start at the greatest
    base = yield from base_at(head, owner)  # V1 inside
    while base is not None:
        head += 1
        key = slot_key(head)
        found = yield from put(key, Seal(owner), "recover seal", "read seal")
        if found is None:
            return None
        if found.owner == owner:
            return SealedLog(head, base)
        record = not_newer(as_slot(key, found), owner)  # V1
        if not isinstance(record, Seal):  # exists: read it and continue from there
            base = yield from base_of(head, record, owner)
    return None


def _settle(owner: Owner, log: SealedLog, *, accept_loss: bool) -> Procedure[Recovered]:
    slot, base = log.base.slot, log.base.record
    if slot is None or not isinstance(base, Checkpoint):
        return Recovered(owner, log.head, base, slot)
    if (yield from ask(Read(done_key(slot), "recover read done"))) is not None:
        return Recovered(owner, log.head, base, slot)
    resolution = yield from resolve(
        slot, base, owner, head=log.head, phase=RECOVERY, accept=accept_loss
    )
    if isinstance(resolution, RolledBack):
        earlier = resolution.base
        return Recovered(owner, resolution.head, earlier.record, earlier.slot)
    return Recovered(owner, log.head, base, slot, resolution.lost)
