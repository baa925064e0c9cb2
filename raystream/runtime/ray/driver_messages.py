"""What a run in the foreground and its driver, the process that talks to Ray, tell each other."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from raystream.errors import ConfigurationError
from raystream.job.messages import StopKind
from raystream.job.outcome import Outcome
from raystream.observe.status import StatusDocument

# --- from the run


@dataclass(frozen=True, slots=True)
class Attach:
    """Be connected to a cluster; see `cluster.attached`."""

    address: str | None


@dataclass(frozen=True, slots=True)
class Launch:
    """Start this job and watch over it."""

    name: str
    storage: str
    packed: bytes
    environment: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Stop:
    """End the job; see `Coordinator.stop`. `by`: who asks, empty: a signal."""

    kind: StopKind = StopKind.STOP
    savepoint: str | None = None
    by: str = ""


@dataclass(frozen=True, slots=True)
class Ask:
    """Ask the coordinator; the answer has the same number."""

    number: int
    method: str
    arguments: tuple[Any, ...] = ()


# --- from the driver


@dataclass(frozen=True, slots=True)
class Attached:
    """Connected: to a private cluster or a standing one at `address`, with so many CPUs."""

    private: bool
    cpus: int
    address: str


@dataclass(frozen=True, slots=True)
class Refused:
    """The job or its cluster as written cannot be used."""

    error: ConfigurationError


@dataclass(frozen=True, slots=True)
class NotStarted:
    """A private Ray could not be started; `again`: a part of it died, which may be chance."""

    reason: str
    again: bool = False


@dataclass(frozen=True, slots=True)
class Alive:
    """The driver looks at the job."""


@dataclass(frozen=True, slots=True)
class Told:
    """A new status."""

    status: StatusDocument


@dataclass(frozen=True, slots=True)
class Ended:
    """The job has ended."""

    outcome: Outcome


@dataclass(frozen=True, slots=True)
class Lost:
    """The cluster is of no use; nothing more comes. `what`: `its raylet is gone`."""

    what: str


@dataclass(frozen=True, slots=True)
class Answer:
    """What the coordinator answered, or what the question led to."""

    number: int
    value: Any = None
    error: Exception | None = None


FromDriver = Attached | Refused | NotStarted | Alive | Told | Ended | Lost | Answer
