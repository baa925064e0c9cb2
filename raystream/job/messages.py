"""Events that the JobMachine receives and commands that it issues."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from raystream.checkpoint.barrier import Barrier
from raystream.checkpoint.protocol.procedure import Procedure
from raystream.checkpoint.records import Ack, Checkpoint
from raystream.errors import RaystreamError
from raystream.ids import SubtaskId
from raystream.job.outcome import Outcome
from raystream.job.spec import OpenRequest
from raystream.job.stop_kind import StopKind as StopKind  # noqa: PLC0414 - its old home
from raystream.observe.status import StatusDocument

Address = Any
"""Where a subtask accepts channels; opaque except to the runtime that made it."""


@dataclass(frozen=True, slots=True)
class Failure:
    """Why a subtask or a procedure failed, in a form that travels between processes.

    Args:
        kind: `died` (process gone), `silent` (frozen), `channel` (a neighbour's break),
            `user` (user code raised), `data` (policy fail), `infrastructure`, `engine`.
        message: One line.
        where: Place, e.g. the user's own file:line.
        lines: At most 10 lines for people, ending with the user's own line if there is one.
        step: Step that failed, if known.
        reason: What was wrong, without its place; empty: see `message`.
        record: The record that failed, as people are shown it; empty: none, or not known.
    """

    kind: str
    message: str
    where: str = ""
    lines: tuple[str, ...] = ()
    step: str = ""
    reason: str = ""
    record: str = ""


@dataclass(frozen=True, slots=True)
class Opened:
    """Event: the subtask is open for this attempt and accepts channels at `address`."""

    subtask: SubtaskId
    attempt: int
    address: Address
    node: str = ""


@dataclass(frozen=True, slots=True)
class Connected:
    """Event: the subtask has connected all its outgoing channels."""

    subtask: SubtaskId
    attempt: int


@dataclass(frozen=True, slots=True)
class Acked:
    """Event: all state of one subtask for a checkpoint is durable."""

    attempt: int
    ack: Ack


@dataclass(frozen=True, slots=True)
class Dry:
    """Event: a source subtask is exhausted (end of a bounded run, or after a drain or stop)."""

    subtask: SubtaskId
    attempt: int


@dataclass(frozen=True, slots=True)
class Died:
    """Event: a subtask failed or its process is gone; None: what runs the subtasks failed."""

    subtask: SubtaskId | None
    attempt: int
    failure: Failure


@dataclass(frozen=True, slots=True)
class Pong:
    """Event: answer to a ping, with the task's counters (observe.metrics)."""

    subtask: SubtaskId
    attempt: int
    stats: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class CheckpointRequested:
    """Event: a caller requests a checkpoint now and waits for the answer.

    Args:
        ticket: Ticket of the answer.
        keep: Address at which to keep it as a savepoint; empty: the default place; None: not kept.
        tag: Random suffix of the address at the default place.
    """

    ticket: int
    keep: str | None = None
    tag: str = ""


@dataclass(frozen=True, slots=True)
class StopRequested:
    """Event: the user (`by`) wants the job to end; with `savepoint`, keep its last checkpoint."""

    kind: StopKind
    savepoint: CheckpointRequested | None = None
    by: str = ""


@dataclass(frozen=True, slots=True)
class SavepointKept:
    """Event: the copy of a KeepSavepoint is complete, or could not be written."""

    ticket: int
    address: str
    problem: RaystreamError | None = None


@dataclass(frozen=True, slots=True)
class SavepointDiscarded:
    """Event: a claimed savepoint is deleted, or could not be."""

    address: str
    problem: RaystreamError | None = None


UserEvent = CheckpointRequested | StopRequested
"""Requests of users to a job."""

WorkerEvent = Opened | Connected | Acked | Dry | Died | Pong


# --- events of the control loop itself


@dataclass(frozen=True, slots=True)
class Tick:
    """Event: time passed.

    Args:
        now: Monotonic seconds of the coordinator's clock.
        silent: Name of the job's storage, if an answer of it is outstanding.
        silent_s: Seconds that the answer has been outstanding.
    """

    now: float
    silent: str = ""
    silent_s: float = 0.0


@dataclass(frozen=True, slots=True)
class ProcedureDone:
    """Event: the running procedure returned. `then` is that of its RunProcedure."""

    then: str
    result: Any = None


@dataclass(frozen=True, slots=True)
class ProcedureFailed:
    """Event: the running procedure raised."""

    then: str
    exception: BaseException


JobEvent = (
    WorkerEvent
    | UserEvent
    | SavepointKept
    | SavepointDiscarded
    | Tick
    | ProcedureDone
    | ProcedureFailed
)
"""All events of a JobMachine."""


# --- commands of the machine


@dataclass(frozen=True, slots=True)
class RunProcedure:
    """Perform this procedure of the commit protocol; one at a time, never interrupted.

    Args:
        procedure: A new generator of protocol commands.
        then: What follows: `recover`, `bring back`, `restore`, `commit`, `cleanup`, `strays`.
    """

    procedure: Procedure[Any]
    then: str


@dataclass(frozen=True, slots=True)
class Open:
    """Open these subtasks, on no node in `avoid`."""

    requests: tuple[OpenRequest, ...]
    avoid: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True)
class Connect:
    """Every subtask is open: send them the addresses of their targets."""

    attempt: int
    addresses: Mapping[SubtaskId, Address]


@dataclass(frozen=True, slots=True)
class Start:
    """Let every subtask run."""

    attempt: int


@dataclass(frozen=True, slots=True)
class Trigger:
    """Inject this barrier at the sources and pull every snapshot."""

    attempt: int
    barrier: Barrier


@dataclass(frozen=True, slots=True)
class NotifyCommitted:
    """Step 8: phase two of this checkpoint is done."""

    attempt: int
    checkpoint: int


@dataclass(frozen=True, slots=True)
class Drain:
    """Make the sources stop reading; with `close_windows` event time goes to infinity."""

    attempt: int
    close_windows: bool


@dataclass(frozen=True, slots=True)
class Ping:
    """Ask every subtask for a Pong, and tell sources of the others in their group.

    Args:
        attempt: Of the job.
        others: Their least event time, by source subtask.
    """

    attempt: int
    others: Mapping[SubtaskId, int] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Kill:
    """Kill these processes."""

    subtasks: tuple[SubtaskId, ...]


@dataclass(frozen=True, slots=True)
class KeepSavepoint:
    """Copy this committed checkpoint to `address` in the background: SavepointKept."""

    ticket: int
    address: str
    checkpoint: Checkpoint


@dataclass(frozen=True, slots=True)
class DiscardSavepoint:
    """Delete the savepoint at `address` in the background: SavepointDiscarded."""

    address: str


@dataclass(frozen=True, slots=True)
class Answer:
    """Answer a ticket: the checkpoint's number, the savepoint's address, or an error."""

    ticket: int
    result: int | str | RaystreamError


@dataclass(frozen=True, slots=True)
class Publish:
    """Publish this status."""

    status: StatusDocument


@dataclass(frozen=True, slots=True)
class End:
    """The run is over: end every subtask and return the outcome. Always the last command."""

    outcome: Outcome


JobCommand = (
    RunProcedure
    | Open
    | Connect
    | Start
    | Trigger
    | NotifyCommitted
    | Drain
    | Ping
    | Kill
    | KeepSavepoint
    | DiscardSavepoint
    | Answer
    | Publish
    | End
)
"""All commands of a JobMachine."""
