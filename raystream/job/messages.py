"""What the JobMachine is told (events) and what it orders (commands)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

from raystream.checkpoint.barrier import Barrier
from raystream.checkpoint.protocol.procedure import Procedure
from raystream.checkpoint.records import Ack, Checkpoint
from raystream.errors import RaystreamError
from raystream.ids import SubtaskId
from raystream.job.outcome import Outcome
from raystream.job.spec import OpenRequest
from raystream.observe.status import StatusDocument

Address = Any
"""Where a subtask accepts channels; only the runtime that made it reads it."""


class StopKind(StrEnum):
    """How a job is asked to end."""

    STOP = "stop"
    """One last commit; closes no window."""
    DRAIN = "drain"
    """Event time to infinity: closes every window, one last commit."""
    CANCEL = "cancel"
    """Now, without a last commit."""


@dataclass(frozen=True, slots=True)
class Failure:
    """Why a subtask or a procedure failed, in a form that travels between processes.

    Args:
        kind: `died` (process gone), `silent` (frozen), `channel` (a neighbour's break),
            `user` (user code raised), `data` (policy fail), `infrastructure`, `engine`.
        message: One line.
        where: Place, e.g. the user's own file:line.
        lines: At most 10 lines for people, ending on the user's own line when there is one.
        step: Step that failed, if known.
        reason: What was wrong, without its place; empty: `message` says it.
    """

    kind: str
    message: str
    where: str = ""
    lines: tuple[str, ...] = ()
    step: str = ""
    reason: str = ""


@dataclass(frozen=True, slots=True)
class Opened:
    """Subtask is open for this attempt and accepts channels at `address`."""

    subtask: SubtaskId
    attempt: int
    address: Address
    node: str = ""


@dataclass(frozen=True, slots=True)
class Connected:
    """Subtask has all its outgoing channels."""

    subtask: SubtaskId
    attempt: int


@dataclass(frozen=True, slots=True)
class Acked:
    """All state of one subtask for a checkpoint is durable."""

    attempt: int
    ack: Ack


@dataclass(frozen=True, slots=True)
class Dry:
    """A source subtask read all it was to read (end of a bounded run, or after a drain/stop)."""

    subtask: SubtaskId
    attempt: int


@dataclass(frozen=True, slots=True)
class Died:
    """A subtask failed or its process is gone; None: no subtask, but what runs them."""

    subtask: SubtaskId | None
    attempt: int
    failure: Failure


@dataclass(frozen=True, slots=True)
class Pong:
    """Answer to a ping, with the task's counters (observe.metrics)."""

    subtask: SubtaskId
    attempt: int
    stats: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class CheckpointRequested:
    """Somebody wants a checkpoint now and waits for the answer.

    Args:
        ticket: Of the answer.
        keep: Where to keep it as a savepoint; empty: at the default place; None: not at all.
        tag: Random end of the address at the default place.
    """

    ticket: int
    keep: str | None = None
    tag: str = ""


@dataclass(frozen=True, slots=True)
class StopRequested:
    """The user (`by`) wants the job to end; `savepoint`: and its last checkpoint kept."""

    kind: StopKind
    savepoint: CheckpointRequested | None = None
    by: str = ""


@dataclass(frozen=True, slots=True)
class SavepointKept:
    """The copy that a KeepSavepoint ordered is whole, or could not be written."""

    ticket: int
    address: str
    problem: RaystreamError | None = None


@dataclass(frozen=True, slots=True)
class SavepointDiscarded:
    """A claimed savepoint is deleted, or could not be."""

    address: str
    problem: RaystreamError | None = None


UserEvent = CheckpointRequested | StopRequested
"""What people ask of a job."""

WorkerEvent = Opened | Connected | Acked | Dry | Died | Pong


# --- what the control loop itself tells the machine


@dataclass(frozen=True, slots=True)
class Tick:
    """Time passed.

    Args:
        now: Monotonic seconds of the coordinator's clock.
        silent: Name of the job's storage, if it owes an answer.
        silent_s: .. for so long.
    """

    now: float
    silent: str = ""
    silent_s: float = 0.0


@dataclass(frozen=True, slots=True)
class ProcedureDone:
    """The running procedure returned. `then` is that of its RunProcedure."""

    then: str
    result: Any = None


@dataclass(frozen=True, slots=True)
class ProcedureFailed:
    """The running procedure raised."""

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
"""All that a JobMachine is told."""


# --- what the machine orders


@dataclass(frozen=True, slots=True)
class RunProcedure:
    """Perform this procedure of the commit protocol; never two at a time, never cut short.

    Args:
        procedure: A fresh generator of protocol commands.
        then: What waits for it: `recover`, `bring back`, `restore`, `commit`, `cleanup`, `strays`.
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
    """Every subtask is open: tell them where their targets are."""

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
    """Sources stop reading; with `close_windows` event time goes to infinity."""

    attempt: int
    close_windows: bool


@dataclass(frozen=True, slots=True)
class Ping:
    """Ask every subtask for a Pong."""

    attempt: int


@dataclass(frozen=True, slots=True)
class Kill:
    """End these processes for sure."""

    subtasks: tuple[SubtaskId, ...]


@dataclass(frozen=True, slots=True)
class KeepSavepoint:
    """Copy this committed checkpoint to `address`, beside everything else: SavepointKept."""

    ticket: int
    address: str
    checkpoint: Checkpoint


@dataclass(frozen=True, slots=True)
class DiscardSavepoint:
    """Delete the savepoint at `address`, beside everything else: SavepointDiscarded."""

    address: str


@dataclass(frozen=True, slots=True)
class Answer:
    """Tell who holds the ticket: the checkpoint's number, the savepoint's address, or why not."""

    ticket: int
    result: int | str | RaystreamError


@dataclass(frozen=True, slots=True)
class Publish:
    """Show this to people."""

    status: StatusDocument


@dataclass(frozen=True, slots=True)
class End:
    """The run is over: end every subtask, return the outcome. Always the last command."""

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
"""All that a JobMachine orders."""
