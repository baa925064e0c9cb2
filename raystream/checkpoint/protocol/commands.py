"""Everything the protocol asks of storage, sinks and time, and what may be answered."""

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
    # what is seldom needed
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
"""Every name a command of the protocol may have."""


@dataclass(frozen=True, slots=True)
class Create(Command[Put]):
    """Create the object if absent; UNKNOWN when it cannot be told (yet) what happened."""

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
    """Delete these objects; absent ones are no error."""

    keys: tuple[str, ...]
    name: str = "clean delete"


@dataclass(frozen=True, slots=True)
class CheckPrepared(Command[tuple[Problem, ...]]):
    """Step 5: is every transaction still open, with the same identity, and young enough?

    Args:
        committables: Those of the checkpoint.
        at: When they were as old as they say, monotonic seconds; None: now.
    """

    committables: tuple[Committable, ...]
    at: float | None = None
    name: str = "check prepared"


@dataclass(frozen=True, slots=True)
class Commit(Command[tuple[Verdict, ...]]):
    """One try to commit each of these; one verdict for each, in order."""

    committables: tuple[Committable, ...]
    name: str


@dataclass(frozen=True, slots=True)
class Abort(Command[tuple[AbortVerdict, ...]]):
    """One try to abort each of these by its handle; one verdict for each, in order."""

    committables: tuple[Committable, ...]
    name: str = "abort for rollback"


@dataclass(frozen=True, slots=True)
class AbortStrays(Command[int]):
    """Abort what attempts below `before` left open at any sink; the answer: how many are left."""

    before: int
    name: str = "abort strays"


@dataclass(frozen=True, slots=True)
class BringBack(Command[Checkpoint]):
    """Copy the state of a savepoint into the job's storage, as files of `attempt`.

    The answer is the savepoint with its state where it is now. Done twice, it changes nothing.
    """

    address: str
    attempt: int
    name: str = "bring back"


@dataclass(frozen=True, slots=True)
class Sleep(Command[float]):
    """Wait this many seconds; the answer is the monotonic time, in seconds, after it."""

    seconds: float
    name: str = "wait"
