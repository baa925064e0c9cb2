"""Decide when to trigger a checkpoint, which acks are missing, when to commit, whom to notify."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from raystream.checkpoint.barrier import Barrier
from raystream.checkpoint.counters import COUNTERS, counters_in, total
from raystream.checkpoint.messages import (
    Acked,
    CheckpointCommitted,
    CheckpointRequested,
    Command,
    CommitCheckpoint,
    Event,
    FailAttempt,
    FinalRequested,
    NotifyCommitted,
    Served,
    Tick,
    TriggerBarrier,
)
from raystream.checkpoint.records import Ack, Checkpoint, Owner, StoredState
from raystream.ids import StepName, SubtaskId

HURRIED = 4
"""Checkpoints at a quarter of the interval after a restart, at most: one interval of them."""


@dataclass(frozen=True, slots=True)
class TriggerSettings:
    """Interval, pause and timeout of checkpoints.

    Args:
        interval_s: From trigger to trigger, seconds.
        min_pause_s: Minimum time from `done` to the next trigger, seconds.
        timeout_s: From the trigger to the last ack; after that the attempt fails. Phase two has no
            timeout: it is repeated until its answers are final.
        hurried: The attempt continues from a checkpoint: readers have been waiting, so the first
            output is not to wait for a whole interval. Checkpoints come four times as often until
            one commits output, four at most.
    """

    interval_s: float = 10.0
    min_pause_s: float = 0.0
    timeout_s: float = 600.0
    hurried: bool = False


@dataclass(frozen=True, slots=True)
class Position:
    """Position of the attempt in the log: `head` is the last slot, `next_checkpoint` a number."""

    owner: Owner
    head: int
    next_checkpoint: int = 1


@dataclass(slots=True)
class _Pending:
    """The running checkpoint."""

    barrier: Barrier
    triggered: float
    acks: dict[SubtaskId, Ack] = field(default_factory=dict)
    acked: dict[SubtaskId, float] = field(default_factory=dict)
    checkpoint: Checkpoint | None = None
    tickets: tuple[int, ...] = ()


class CheckpointCoordinator:
    """Checkpoints of one attempt, one at a time. A failed checkpoint fails the attempt.

    Args:
        subtasks: All subtasks that ack.
        position: From recovery.
        settings: Interval, pause and timeout.
        job: What a restore must know, and the counters of the run so far; stored in every
            checkpoint together with what this attempt counted.

    >>> one = SubtaskId("read", 0)
    >>> at = Position(Owner(0, "nonce"), head=0)
    >>> coordinator = CheckpointCoordinator([one], at, TriggerSettings(interval_s=10))
    >>> coordinator.handle(Tick(100.0)), coordinator.handle(Tick(110.0))
    ([], [TriggerBarrier(barrier=Barrier(checkpoint=1, final=False))])
    """

    def __init__(
        self,
        subtasks: Collection[SubtaskId],
        position: Position,
        settings: TriggerSettings,
        job: Mapping[str, Any] | None = None,
    ) -> None:
        self._subtasks = frozenset(subtasks)
        self._owner = position.owner
        self._head = position.head
        self._next = position.next_checkpoint
        self._settings = settings
        self._job = dict(job or {})
        self._now: float | None = None
        self._due = 0.0
        self._hurried = HURRIED if settings.hurried else 0
        self._pending: _Pending | None = None
        self._final = False
        self._tickets: tuple[int, ...] = ()
        self._over = False

    @property
    def head(self) -> int:
        """Last slot of the log that this attempt knows."""
        return self._head

    @property
    def in_progress(self) -> int | None:
        """Number of the running checkpoint, or None."""
        return None if self._pending is None else self._pending.barrier.checkpoint

    def missing(self) -> list[SubtaskId]:
        """Subtasks that have not acked the running checkpoint."""
        return [] if self._pending is None else sorted(self._subtasks - set(self._pending.acks))

    def due(self, now: float) -> float:
        """When a tick triggers or fails a checkpoint, monotonic s, if no event comes before."""
        if self._now is None:
            return now
        pending = self._pending
        return self._due if pending is None else pending.triggered + self._settings.timeout_s

    def handle(self, event: Event) -> list[Command]:
        """Handle one event and return the commands to perform, in order."""
        if self._over:
            return []
        match event:
            case Tick(now):
                return self._tick(now)
            case Acked(ack):
                return self._acked(ack)
            case CheckpointCommitted(number):
                return self._committed(number)
            case FinalRequested():
                self._final = True
                return self._trigger_if_due()
            case CheckpointRequested(ticket):
                self._tickets += (ticket,)
                return self._trigger_if_due()

    def _tick(self, now: float) -> list[Command]:
        if self._now is None:
            self._due = now + self._interval()
        self._now = now
        pending = self._pending
        if pending is None:
            return self._trigger_if_due()
        waited = now - pending.triggered
        if pending.checkpoint is None and waited >= self._settings.timeout_s:
            return self._fail(f"timed out after {waited:.0f} s without {_some(self.missing())}")
        return []

    def _trigger_if_due(self) -> list[Command]:
        if self._now is None or self._pending is not None:
            return []  # 1: only after `done` of the previous one is durable
        if not (self._final or self._tickets) and self._now < self._due:
            return []
        barrier = Barrier(self._next, self._final)
        self._pending = _Pending(barrier, self._now, tickets=self._tickets)
        self._tickets = ()
        return [TriggerBarrier(barrier)]

    def _acked(self, ack: Ack) -> list[Command]:
        if ack.subtask not in self._subtasks:
            return self._fail(f"ack of an unknown subtask {ack.subtask}")
        if ack.checkpoint < self._next:
            return []  # delivered twice
        pending = self._pending
        if pending is None or ack.checkpoint != pending.barrier.checkpoint:
            return self._fail(f"{ack.subtask} acked checkpoint {ack.checkpoint} out of step")
        if ack.subtask in pending.acks:
            same = pending.acks[ack.subtask] == ack
            return [] if same else self._fail(f"{ack.subtask} acked twice, differently")
        pending.acks[ack.subtask] = ack
        pending.acked[ack.subtask] = self._now or 0.0
        return [] if self.missing() else self._complete(pending)

    def _complete(self, pending: _Pending) -> list[Command]:
        acks = self._aged(pending)
        counted = total([counters_in(self._job), *(ack.counters for ack in acks)])
        pending.checkpoint = Checkpoint(
            self._owner,
            pending.barrier.checkpoint,
            assemble(acks),
            pending.barrier.final,
            {**self._job, COUNTERS: counted} if counted else self._job,
        )
        return [CommitCheckpoint(self._head + 1, pending.checkpoint)]

    def _aged(self, pending: _Pending) -> list[Ack]:
        """5: a transaction ages while the slowest subtask has not acked."""
        now = self._now or 0.0
        return [_aged(ack, now - pending.acked[who]) for who, ack in pending.acks.items()]

    def _committed(self, number: int) -> list[Command]:
        pending = self._pending
        if pending is None or pending.checkpoint is None or number != self._next:
            return self._fail(f"checkpoint {number} was committed out of step")
        self._head += 1
        self._next += 1
        self._pending = None
        self._hurried = 0 if pending.checkpoint.committables() else max(0, self._hurried - 1)
        pause = (self._now or 0.0) + self._settings.min_pause_s
        self._due = max(pending.triggered + self._interval(), pause)
        self._over = pending.barrier.final
        notify: list[Command] = [NotifyCommitted(number)]
        served = [Served(pending.tickets, pending.checkpoint)] if pending.tickets else []
        following = [] if self._over else self._trigger_if_due()
        return [*notify, *served, *following]

    def _interval(self) -> float:
        return self._settings.interval_s / (HURRIED if self._hurried else 1)

    def _fail(self, why: str) -> list[Command]:
        self._over = True
        number = self._next if self._pending is None else self._pending.barrier.checkpoint
        return [FailAttempt(f"checkpoint {number}: {why}")]

    def __repr__(self) -> str:
        done = "over" if self._over else f"in progress {self.in_progress}"
        return f"CheckpointCoordinator(head {self._head}, next {self._next}, {done})"


def assemble(acks: Iterable[Ack]) -> dict[StepName, tuple[StoredState, ...]]:
    """Combine the acks of all subtasks into step -> state of its subtasks by index.

    A step that is missing in the ack of a subtask had no state there.

    >>> acks = [Ack(SubtaskId("c", 1), 1, {"s": StoredState({"x": 1})}),
    ...         Ack(SubtaskId("c", 0), 1, {})]
    >>> [dict(state.header) for state in assemble(acks)["s"]]
    [{}, {'x': 1}]
    """
    by_chain: dict[str, list[Ack]] = {}
    for ack in sorted(acks, key=lambda ack: ack.subtask):
        by_chain.setdefault(ack.subtask.chain, []).append(ack)
    return {
        step: tuple(ack.steps.get(step, StoredState()) for ack in chain)
        for chain in by_chain.values()
        for step in sorted({step for ack in chain for step in ack.steps})
    }


def _aged(ack: Ack, seconds: float) -> Ack:
    return replace(ack, steps={step: state.older(seconds) for step, state in ack.steps.items()})


def _some(subtasks: list[SubtaskId]) -> str:
    named = ", ".join(map(str, subtasks[:5]))
    more = f" and {len(subtasks) - 5} more" if len(subtasks) > 5 else ""
    return f"an ack of {named}{more}"
