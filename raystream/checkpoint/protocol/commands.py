"""All commands from the protocol to storage, sinks and clock, with the types of their answers."""

from __future__ import annotations

from dataclasses import dataclass

from raystream.checkpoint.protocol.procedure import Command
from raystream.checkpoint.records import Checkpoint, Committable, Record
from raystream.checkpoint.verdicts import AbortVerdict, Problem, Put, Verdict

POINTS = (
    # recovery, in its order
    "list attempts",
    "create attempt",
    "read attempt",
    "list log",
    "read log",
    "recover seal",
    "read seal",
    "recover look for newer",
    "recover read done",
    "recover commit",
    "recover mid commit",
    "recover before done",
    # a checkpoint, in its order
    "check prepared",
    "create manifest",
    "read manifest",
    "look for newer",
    "commit",
    "mid commit",
    "before done",
    # rarely needed
    "re-read done",
    "abort for rollback",
    "create rollback",
    "read rollback",
    "bring back",
    "create restore",
    "read restore",
    # background
    "abort strays",
    "clean list",
    "clean read",
    "clean look for newer",
    "clean delete",
    # a supervisor that was superseded
    "look at head",
    "wait",
)
"""Every name that a command of the protocol may have."""


@dataclass(frozen=True, slots=True)
class Create(Command[Put]):
    """Create the object if absent; UNKNOWN when the outcome is not (yet) known."""

    key: str
    record: Record
    name: str


@dataclass(frozen=True, slots=True)
class Read(Command[Record | None]):
    """Read and decode the object; None if there is none."""

    key: str
    name: str


@dataclass(frozen=True, slots=True)
class ListKeys(Command[tuple[str, ...]]):
    """All keys with this prefix, sorted."""

    prefix: str
    name: str


@dataclass(frozen=True, slots=True)
class Delete(Command[None]):
    """Delete these objects; absent ones are not an error."""

    keys: tuple[str, ...]
    name: str = "clean delete"


@dataclass(frozen=True, slots=True)
class CheckPrepared(Command[tuple[Problem, ...]]):
    """Step 5: check that each transaction is still open, the same one, and young enough.

    Args:
        committables: Those of the checkpoint.
        at: Monotonic seconds at which the ages of the committables were measured; None: now.
    """

    committables: tuple[Committable, ...]
    at: float | None = None
    name: str = "check prepared"


@dataclass(frozen=True, slots=True)
class Commit(Command[tuple[Verdict, ...]]):
    """Try once to commit each of these; one verdict for each, in order."""

    committables: tuple[Committable, ...]
    name: str


@dataclass(frozen=True, slots=True)
class Abort(Command[tuple[AbortVerdict, ...]]):
    """Try once to abort each of these by its handle; one verdict for each, in order."""

    committables: tuple[Committable, ...]
    name: str = "abort for rollback"


@dataclass(frozen=True, slots=True)
class AbortStrays(Command[int]):
    """Abort what attempts below `before` left open at any sink; the answer is how many are left."""

    before: int
    name: str = "abort strays"


@dataclass(frozen=True, slots=True)
class BringBack(Command[Checkpoint]):
    """Copy the state of a savepoint into the job's storage, as files of `attempt`.

    The answer is the savepoint with the new location of its state. Idempotent.
    """

    address: str
    attempt: int
    name: str = "bring back"


@dataclass(frozen=True, slots=True)
class Sleep(Command[float]):
    """Wait this many seconds; the answer is the monotonic time, in seconds, after it."""

    seconds: float
    name: str = "wait"
