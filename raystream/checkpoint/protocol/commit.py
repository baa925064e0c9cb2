"""Steps 5 to 7 of a checkpoint: check the prepared transactions, the commit point, phase two."""

from __future__ import annotations

from dataclasses import dataclass

from raystream.checkpoint.protocol.commands import CheckPrepared
from raystream.checkpoint.protocol.procedure import Procedure, ask
from raystream.checkpoint.protocol.resolve import PHASE_TWO, RolledBack, resolve
from raystream.checkpoint.protocol.slots import create_slot
from raystream.checkpoint.records import Checkpoint
from raystream.checkpoint.verdicts import Problem


@dataclass(frozen=True, slots=True)
class Committed:
    """The checkpoint is in slot `slot` and its `done` is durable: step 8 may follow."""

    slot: int
    checkpoint: Checkpoint


@dataclass(frozen=True, slots=True)
class NotCommitted:
    """Nothing of the checkpoint was or will be committed: fail the attempt and recover."""

    reason: str


CommitOutcome = Committed | NotCommitted


def commit_checkpoint(
    slot: int, checkpoint: Checkpoint, at: float | None = None
) -> Procedure[CommitOutcome]:
    """Commit a checkpoint after all acks have arrived.

    Args:
        slot: The head of the log, known to the checkpoint's owner, plus one.
        checkpoint: All states and committables; its owner is the running attempt.
        at: Monotonic seconds at which the ages of its committables were measured; None: now.

    Raises:
        Superseded: a newer attempt exists; it finds and finishes the manifest, if it was written.
        OutputLost, JobFailed: see `resolve`.
    """
    committables = tuple(checkpoint.committables())
    if committables:  # 5
        problems = yield from ask(CheckPrepared(committables, at))
        if problems:
            return NotCommitted(_say(problems))
    yield from create_slot(slot, checkpoint, "manifest")  # 6, the commit point
    resolution = yield from resolve(  # 7
        slot, checkpoint, checkpoint.owner, head=slot, phase=PHASE_TWO
    )
    if isinstance(resolution, RolledBack):
        number = checkpoint.number
        return NotCommitted(f"the transactions of checkpoint {number} expired; it is rolled back")
    return Committed(slot, checkpoint)


def _say(problems: tuple[Problem, ...]) -> str:
    first = problems[0]
    more = f" (and {len(problems) - 1} more)" if len(problems) > 1 else ""
    one = first.committable
    return f"step {one.sink!r} subtask {one.subtask}: {first.reason}{more}"
