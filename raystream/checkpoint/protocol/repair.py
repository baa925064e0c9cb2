"""When a named transaction cannot be committed: rollback, `--accept-loss`, and error messages."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence

from raystream.checkpoint.keys import done_key, slot_key
from raystream.checkpoint.protocol.commands import Abort, Sleep
from raystream.checkpoint.protocol.log import Base, base_at
from raystream.checkpoint.protocol.procedure import Procedure, ask
from raystream.checkpoint.protocol.slots import (
    create_slot,
    create_until_known,
    look_for_newer,
    pauses,
)
from raystream.checkpoint.records import Checkpoint, Committable, Done, Owner, Rollback
from raystream.checkpoint.verdicts import AbortVerdict
from raystream.errors import JobFailed, OutputLost, StorageError


def roll_back(
    slot: int, committables: Sequence[Committable], owner: Owner, head: int
) -> Procedure[Base | None]:
    """Prove that nothing of slot `slot` was committed, and append a rollback record to the log.

    Args:
        slot: Slot of a checkpoint with a lost transaction and none that is known to be committed.
        committables: All committables that it names.
        owner: Our attempt; it has just looked for a newer one.
        head: Last slot of the log.

    Returns:
        The base to replay from; None: no proof (partly committed), nothing was written.

    Raises:
        Superseded: a newer attempt exists.
    """
    if not (yield from _abort_all(committables)):
        return None
    base = yield from base_at(slot - 1, owner)
    if base is None:
        yield from look_for_newer(owner)  # only a newer attempt may have deleted it
        what = "the checkpoint to roll back to is gone"
        raise StorageError(what, slot_key(slot), "restore the storage from a copy")
    yield from create_slot(head + 1, Rollback(owner, slot, base.slot), "rollback")
    return base


def accept_loss(slot: int, lost: tuple[Committable, ...], owner: Owner) -> Procedure[None]:
    """Write `done` with the list of lost transactions; every handle has its final verdict."""
    record = Done(owner, slot, lost)
    yield from create_until_known(done_key(slot), record, "recover before done")


def output_lost(
    slot: int,
    checkpoint: Checkpoint,
    lost: Collection[Committable],
    unknown: Collection[Committable],
) -> OutputLost:
    """The error that names every transaction that is lost or whose outcome is unknown."""
    n_all = len(checkpoint.committables())
    n_bad = len(lost) + len(unknown)
    names = _names(lost, "lost") + _names(unknown, "unknown, the broker forgot it")
    what = (
        f"{n_bad} of {n_all} transactions of checkpoint {checkpoint.number} cannot be committed"
        f" any more: {'; '.join(names)}"
    )
    advice = (
        "compare the output with the input; then run again with --accept-loss to continue without"
        " these records, or with --from-scratch to write all again"
    )
    return OutputLost(what, slot_key(slot), advice)


def refused(
    slot: int, number: int, denied: Collection[Committable], stuck: Collection[Committable]
) -> JobFailed:
    """The error that names every transaction that the broker refuses to commit now."""
    names = "; ".join(
        _names([one for one in denied if one not in stuck], "refused")
        + _names([one for one in denied if one in stuck], "coordinator busy for 5 min")
    )
    what = f"{len(denied)} transactions of checkpoint {number} cannot be committed now: {names}"
    advice = (
        "restart the broker that coordinates them"
        if stuck
        else "allow WRITE on their ids, and ClusterAction if the log says that markers are missing"
    )
    return JobFailed(what, slot_key(slot), f"{advice}, then run again: nothing is lost")


def _abort_all(committables: Sequence[Committable]) -> Procedure[bool]:
    """Abort all; True: all answered ABORTED, which proves that none was or can be committed."""
    pending = tuple(committables)
    proof = True
    for pause in pauses():
        verdicts = yield from ask(Abort(pending))
        answers = list(zip(pending, verdicts, strict=True))
        proof = proof and AbortVerdict.PARTLY_COMMITTED not in verdicts
        pending = tuple(one for one, verdict in answers if verdict is AbortVerdict.AGAIN)
        if not pending or not proof:
            return proof
        yield from ask(Sleep(pause))
    raise AssertionError(pending)


def _names(committables: Iterable[Committable], fate: str) -> list[str]:
    return [
        f"step {one.sink!r} subtask {one.subtask}, {one.n_records} records"
        f" for {', '.join(one.partitions) or 'no partition'} ({fate})"
        for one in committables
    ]
