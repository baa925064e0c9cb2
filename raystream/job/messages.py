"""Events that reach the JobMachine from outside, and what workers report."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

from raystream.checkpoint.records import Ack
from raystream.ids import SubtaskId

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
    """

    kind: str
    message: str
    where: str = ""
    lines: tuple[str, ...] = ()
    step: str = ""


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
    """A subtask failed or its process is gone."""

    subtask: SubtaskId
    attempt: int
    failure: Failure


@dataclass(frozen=True, slots=True)
class Pong:
    """Answer to a ping, with the task's counters (observe.metrics)."""

    subtask: SubtaskId
    attempt: int
    stats: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class StopRequested:
    """The user wants the job to end."""

    kind: StopKind


WorkerEvent = Opened | Connected | Acked | Dry | Died | Pong
