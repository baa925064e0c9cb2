"""Names of transactions: job, attempt, step, subtask, and place in the rotation."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass

ROTATION = 3
"""Ids per sink subtask: one being resolved, one open, one ready."""

_PATTERN = re.compile(
    r"(\S{1,200})\.([0-9a-f]{8})\.(0|[1-9]\d*)\.([A-Za-z0-9_-]{1,60})\.(0|[1-9]\d*)\.([0-2])"
)


@dataclass(frozen=True, slots=True)
class TransactionalId:
    """`<job>.<store-uuid8>.<attempt>.<step>.<subtask>.<r>`, as in kafka-transactions.md 8.

    The attempt number keeps a zombie's re-init away from the ids of the new attempt; the store
    id distinguishes two jobs with the same name.

    >>> str(TransactionalId("counts", "0a1b2c3d", 4, "write", 1, 2))
    'counts.0a1b2c3d.4.write.1.2'
    """

    job: str
    store_id: str
    attempt: int
    step: str
    subtask: int
    place: int

    def __str__(self) -> str:
        """As the broker knows it."""
        return f"{self.job}.{self.store_id}.{self.attempt}.{self.step}.{self.subtask}.{self.place}"


def parse(text: str) -> TransactionalId | None:
    """Parse the whole name or return None: never a guess by prefix.

    >>> parse("counts.0a1b2c3d.4.write.1.2").attempt
    4
    >>> parse("counts.0a1b2c3d.4.write.1.2.x") is None
    True
    >>> parse("team.a.counts.0a1b2c3d.4.write.1.2").job
    'team.a.counts'
    """
    match = _PATTERN.fullmatch(text)
    if match is None:
        return None
    job, store_id, attempt, step, subtask, place = match.groups()
    return TransactionalId(job, store_id, int(attempt), step, int(subtask), int(place))


def of_other_storage(tids: Iterable[str], job: str, store_id: str) -> list[str]:
    """Ids of a job with this name but other storage: a different job.

    >>> of_other_storage(["a.00000000.1.w.0.0", "a.11111111.1.w.0.0", "x"], "a", "00000000")
    ['a.11111111.1.w.0.0']
    """
    parsed = [one for one in map(parse, tids) if one is not None]
    return [str(one) for one in parsed if one.job == job and one.store_id != store_id]
