"""Messages between a foreground run and its driver, the process that talks to Ray."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from raystream.errors import ConfigurationError
from raystream.job.outcome import Outcome
from raystream.job.stop_kind import StopKind

if TYPE_CHECKING:
    from raystream.observe.status import StatusDocument

# --- from the run


@dataclass(frozen=True, slots=True)
class Attach:
    """Connect to a cluster; see `cluster.attached`."""

    address: str | None


@dataclass(frozen=True, slots=True)
class Launch:
    """Start this job and watch it."""

    name: str
    storage: str
    packed: bytes
    environment: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Stop:
    """End the job; see `Coordinator.stop`. `by`: who requests it, empty: a signal."""

    kind: StopKind = StopKind.STOP
    savepoint: str | None = None
    by: str = ""


@dataclass(frozen=True, slots=True)
class Ask:
    """Call a method of the coordinator; the answer has the same number."""

    number: int
    method: str
    arguments: tuple[Any, ...] = ()


# --- from the driver


@dataclass(frozen=True, slots=True)
class Attached:
    """Connected to a private cluster or a standing one at `address`, with this many CPUs."""

    private: bool
    cpus: int
    address: str


@dataclass(frozen=True, slots=True)
class Refused:
    """The job or its cluster cannot be used as specified."""

    error: ConfigurationError


@dataclass(frozen=True, slots=True)
class NotStarted:
    """A private Ray could not be started; `again`: a part of it died, so a retry may help."""

    reason: str
    again: bool = False


@dataclass(frozen=True, slots=True)
class Alive:
    """The driver still watches the job."""


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
    """The cluster is unusable; no more messages follow. `what`: `its raylet is gone`."""

    what: str


@dataclass(frozen=True, slots=True)
class Answer:
    """The answer of the coordinator, or the error of the call."""

    number: int
    value: Any = None
    error: Exception | None = None


FromDriver = Attached | Refused | NotStarted | Alive | Told | Ended | Lost | Answer
