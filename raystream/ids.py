"""What things are called inside a job."""

from __future__ import annotations

from dataclasses import dataclass

StepName = str
"""Identity of a step in checkpoints, status and transactional ids: `[A-Za-z0-9_-]{1,60}`."""

HIDDEN = "\x1fraystream\x1f"
"""Columns whose names begin so are the engine's own: no field of anybody's record does. A name of
letters would be taken one day, as two underscores were (Debezium's `__deleted`)."""

SplitId = str
"""One part of a source that is read in order: `topic/3`, a file name."""


@dataclass(frozen=True, slots=True, order=True)
class SubtaskId:
    """Subtask `index` (0-based) of the chain called `chain`.

    >>> str(SubtaskId("counts", 1))
    'counts[1]'
    """

    chain: str
    index: int

    def __str__(self) -> str:
        """Human form."""
        return f"{self.chain}[{self.index}]"


@dataclass(frozen=True, slots=True, order=True)
class ChannelId:
    """The channel of exchange `exchange` (number in the plan) between two subtasks."""

    exchange: int
    source: SubtaskId
    target: SubtaskId

    def __str__(self) -> str:
        """Human form."""
        return f"{self.source}->{self.target}#{self.exchange}"
