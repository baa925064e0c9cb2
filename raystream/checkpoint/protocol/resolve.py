"""`resolve`: the procedure that finishes the transactions of a slot, in phase two and recovery.

The comments cite the hazards of the protocol's model check (V3, V4, V9, V10).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from raystream.checkpoint.keys import done_key
from raystream.checkpoint.protocol.commands import Commit, Read, Sleep
from raystream.checkpoint.protocol.log import Base
from raystream.checkpoint.protocol.procedure import Procedure, ask
from raystream.checkpoint.protocol.repair import accept_loss, output_lost, refused, roll_back
from raystream.checkpoint.protocol.slots import create_until_known, look_for_newer, pauses
from raystream.checkpoint.records import Checkpoint, Committable, Done, Owner
from raystream.checkpoint.verdicts import Verdict

BUSY_LIMIT_S = 300.0
"""How long a coordinator may answer only BUSY before the job stops with a message (R4), seconds."""


@dataclass(frozen=True, slots=True)
class Resolved:
    """Every transaction of the slot is committed and `done` is durable.

    `lost` names what was given up by `--accept-loss`.
    """

    lost: tuple[Committable, ...] = ()


@dataclass(frozen=True, slots=True)
class RolledBack:
    """Nothing of the slot was committed; slot `head` records it, the job replays from `base`."""

    head: int
    base: Base


Resolution = Resolved | RolledBack


@dataclass(frozen=True, slots=True)
class Phase:
    """Names of the points of one use of `resolve`."""

    first: str
    mid: str
    done: str


PHASE_TWO = Phase("commit", "mid commit", "before done")
RECOVERY = Phase("recover commit", "recover mid commit", "recover before done")


@dataclass(frozen=True, slots=True)
class Answers:
    """Final verdict of each committable; `stuck` are those for which a coordinator stayed BUSY."""

    verdicts: Mapping[Committable, Verdict]
    stuck: frozenset[Committable] = frozenset()

    def of(self, *kinds: Verdict) -> tuple[Committable, ...]:
        """The committables with one of these verdicts."""
        return tuple(one for one, verdict in self.verdicts.items() if verdict in kinds)

    def all_committed(self) -> bool:
        """Whether every transaction is committed, so that only `done` is missing."""
        return all(verdict is Verdict.COMMITTED for verdict in self.verdicts.values())

    def none_can_be_committed(self) -> bool:
        """Whether every transaction that was tried is lost: a rollback may be possible."""
        return all(verdict is Verdict.LOST for verdict in self.verdicts.values())

    def __or__(self, other: Answers) -> Answers:
        """Both; `other` takes precedence."""
        return Answers({**self.verdicts, **other.verdicts}, self.stuck | other.stuck)


def resolve(
    slot: int,
    checkpoint: Checkpoint,
    owner: Owner,
    *,
    head: int,
    phase: Phase,
    accept: bool = False,
) -> Procedure[Resolution]:
    """Commit every transaction that slot `slot` names, then create `done`.

    Args:
        slot: Slot of the checkpoint.
        checkpoint: Its content.
        owner: The attempt that resolves; it looked for a newer one after its create or seal.
        head: Last slot of the log (`slot` in phase two, our seal in recovery).
        phase: Names of the points.
        accept: `--accept-loss`: write `done` with the list of what is lost.

    Raises:
        Superseded: a newer attempt exists; there is no verdict.
        OutputLost: a transaction cannot be committed any more, others were committed.
        JobFailed: the broker refuses, or is stuck; nothing is lost.
    """
    committables = in_order(checkpoint.committables())
    answers = yield from commit_all(committables, phase)
    if answers.all_committed():
        return (yield from _done(slot, owner, phase))  # V10: only when all answered COMMITTED
    if (yield from _somebody_was_faster(slot, owner)):
        return Resolved()
    if answers.none_can_be_committed():
        rolled_back = yield from roll_back(slot, committables, owner, head)
        if rolled_back is not None:
            return RolledBack(head + 1, rolled_back)
        answers = yield from commit_until_final(committables, phase.mid)
        if (yield from _somebody_was_faster(slot, owner)):
            return Resolved()
    return (yield from _give_up(slot, checkpoint, answers, owner, accept=accept))


def commit_all(committables: Sequence[Committable], phase: Phase) -> Procedure[Answers]:
    """Commit all, but stop if the very first one is lost.

    The first is committed alone. If it is committed, a rollback is impossible whatever the others
    answer, so the others go together: the decision is the same as with one after another. If it is
    lost, no attempt committed any of them (all attempts use this order), and a rollback loses
    nothing. No other negative answer stops the commits, or the other transactions would expire too
    (V9).
    """
    answers = yield from commit_until_final(committables[:1], phase.first)
    if answers.of(Verdict.LOST):
        return answers
    return answers | (yield from commit_until_final(committables[1:], phase.mid))


def commit_until_final(committables: Sequence[Committable], name: str) -> Procedure[Answers]:
    """Repeat each commit until its verdict is final: without limit (R4), except for BUSY."""
    final: dict[Committable, Verdict] = {}
    busy_since: dict[Committable, float] = {}
    stuck: set[Committable] = set()
    pending = tuple(committables)
    for pause in pauses():
        if not pending:
            break
        verdicts = yield from ask(Commit(pending, name))
        answers = dict(zip(pending, verdicts, strict=True))
        final.update({one: v for one, v in answers.items() if v not in _NOT_FINAL})
        pending = tuple(one for one in pending if one not in final)
        if pending:
            now = yield from ask(Sleep(pause))
            busy = {one for one in pending if answers[one] is Verdict.BUSY}
            busy_since = {one: busy_since.get(one, now) for one in busy}
            stuck |= {one for one in busy if now - busy_since[one] >= BUSY_LIMIT_S}
            final.update(dict.fromkeys(stuck, Verdict.REFUSED))
            pending = tuple(one for one in pending if one not in stuck)
    ordered = {one: final[one] for one in committables}
    return Answers(ordered, frozenset(stuck))


def in_order(committables: Sequence[Committable]) -> tuple[Committable, ...]:
    """The order in which every attempt commits them."""
    return tuple(sorted(committables, key=lambda one: (one.sink, one.subtask, one.handle)))


_NOT_FINAL = (Verdict.AGAIN, Verdict.BUSY)


def _somebody_was_faster(slot: int, owner: Owner) -> Procedure[bool]:
    """After a negative verdict: whether another attempt has already finished the slot."""
    if (yield from ask(Read(done_key(slot), "re-read done"))) is not None:
        return True
    yield from look_for_newer(owner)  # V3: a newer attempt may have deleted `done`: no verdict
    return False


def _done(slot: int, owner: Owner, phase: Phase) -> Procedure[Resolved]:
    yield from create_until_known(done_key(slot), Done(owner, slot), phase.done)
    return Resolved()


def _give_up(
    slot: int, checkpoint: Checkpoint, answers: Answers, owner: Owner, *, accept: bool
) -> Procedure[Resolved]:
    denied = answers.of(Verdict.REFUSED)
    if denied:  # neither committed nor lost: not every handle is final
        raise refused(slot, checkpoint.number, denied, answers.stuck)
    lost, unknown = answers.of(Verdict.LOST), answers.of(Verdict.UNKNOWN)
    if not accept:
        raise output_lost(slot, checkpoint, lost, unknown)  # V4: 49 may well be committed
    yield from accept_loss(slot, lost + unknown, owner)
    return Resolved(lost + unknown)
