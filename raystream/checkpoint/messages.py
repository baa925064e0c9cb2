"""Events and commands of the checkpoint coordinator."""

from __future__ import annotations

from dataclasses import dataclass

from raystream.checkpoint.barrier import Barrier
from raystream.checkpoint.records import Ack, Checkpoint


@dataclass(frozen=True, slots=True)
class Tick:
    """Event: the time is `now`, monotonic seconds."""

    now: float


@dataclass(frozen=True, slots=True)
class Acked:
    """Event: all state of one subtask is durable."""

    ack: Ack


@dataclass(frozen=True, slots=True)
class CheckpointCommitted:
    """Event: `done` of checkpoint `number` is durable."""

    number: int


@dataclass(frozen=True, slots=True)
class FinalRequested:
    """Event: the sources are exhausted or the job is to stop; the next checkpoint is the last."""


@dataclass(frozen=True, slots=True)
class CheckpointRequested:
    """Event: take a checkpoint as soon as possible, for the holder of this ticket."""

    ticket: int


Event = Tick | Acked | CheckpointCommitted | FinalRequested | CheckpointRequested


@dataclass(frozen=True, slots=True)
class TriggerBarrier:
    """Command: all sources record their positions and emit this barrier."""

    barrier: Barrier


@dataclass(frozen=True, slots=True)
class CommitCheckpoint:
    """Command: run `commit_checkpoint(slot, checkpoint)`; its success is CheckpointCommitted."""

    slot: int
    checkpoint: Checkpoint


@dataclass(frozen=True, slots=True)
class NotifyCommitted:
    """Command: step 8, notify every subtask."""

    number: int


@dataclass(frozen=True, slots=True)
class Served:
    """Command: this committed checkpoint answers these tickets."""

    tickets: tuple[int, ...]
    checkpoint: Checkpoint


@dataclass(frozen=True, slots=True)
class FailAttempt:
    """Command: the attempt cannot continue; recover. This coordinator sends nothing more."""

    reason: str


Command = TriggerBarrier | CommitCheckpoint | NotifyCommitted | Served | FailAttempt
