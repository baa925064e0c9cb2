"""What a committer may answer about a committable: the words phase two decides by."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum

from raystream.checkpoint.records import Committable


class Verdict(Enum):
    """Final (or not) answer to a commit of one committable (kafka-transactions.md 8, resolve).

    COMMITTED: it is committed. AGAIN: nothing known yet, repeat. LOST: it was aborted, so it can
    not be committed any more. UNKNOWN: the broker forgot it, either may be true. REFUSED: not
    allowed (authorization), neither committed nor lost.
    """

    COMMITTED = "committed"
    AGAIN = "again"
    LOST = "lost"
    UNKNOWN = "unknown"
    REFUSED = "refused"


class AbortVerdict(Enum):
    """Answer to an abort of one committable."""

    ABORTED = "aborted"
    PARTLY_COMMITTED = "partly_committed"
    AGAIN = "again"


@dataclass(frozen=True, slots=True)
class Problem:
    """Why a committable may not enter a manifest (step 5) or was refused."""

    committable: Committable
    reason: str
