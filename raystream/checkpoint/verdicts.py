"""Answers to commands of the protocol: outcomes of a put, a commit, an abort, a check."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum

from raystream.checkpoint.records import Committable


class Put(Enum):
    """Outcome of a conditional create; UNKNOWN may still become either one, at any later time."""

    CREATED = "created"
    EXISTS = "exists"
    UNKNOWN = "unknown"


class Verdict(Enum):
    """Answer to a commit of one committable (kafka-transactions.md 8, resolve).

    COMMITTED: it is committed. LOST: it was aborted and cannot be committed any more.
    UNKNOWN: the broker no longer knows it, either may be true. REFUSED: not allowed
    (authorization), neither committed nor lost. AGAIN: nothing known yet, repeat without limit.
    BUSY: as AGAIN, but reported by the coordinator itself (Kafka error 51); the job stops after 5
    min of only BUSY (R4).
    """

    COMMITTED = "committed"
    AGAIN = "again"
    BUSY = "busy"
    LOST = "lost"
    UNKNOWN = "unknown"
    REFUSED = "refused"


class AbortVerdict(Enum):
    """Answer to an abort of one committable.

    ABORTED: proof that it was not and never will be committed. PARTLY_COMMITTED: no such proof.
    """

    ABORTED = "aborted"
    PARTLY_COMMITTED = "partly_committed"
    AGAIN = "again"


@dataclass(frozen=True, slots=True)
class Problem:
    """Why a committable may not enter a manifest (step 5) or was refused."""

    committable: Committable
    reason: str
