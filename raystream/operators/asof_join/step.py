"""AsofJoin: each row with the latest row of another stream up to its own event time."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar

from raystream.operators.call import OTHER_STREAMS, Call, Milliseconds
from raystream.operators.joins.step import JoinStep
from raystream.operators.words import duration


@dataclass(frozen=True, slots=True)
class AsofJoin(JoinStep):
    """Rows of the right stream are versions: each holds until the next one of its key.

    Args:
        within_ms: How long a version holds at most; None: until the next one.

    >>> AsofJoin((("currency", "code"),), within_ms=86_400_000).words()
    'join on currency = code, as of its time, versions of 1d'
    """

    word: ClassVar[str] = "asof_join"
    form: ClassVar[str] = "asof_join"
    operator: ClassVar[str] = "raystream.operators.asof_join.operator:AsofJoin"

    within_ms: int | None = None

    def condition(self) -> dict[str, Any]:
        """How long versions are kept."""
        return {"within": self.within_ms}

    def more_words(self) -> str:
        """How long a version holds."""
        age = "" if self.within_ms is None else f", versions of {duration(self.within_ms)}"
        return f", as of its time{age}"

    def label(self) -> tuple[str, str]:
        """With the keys."""
        return "asof_join", "-".join(self.keys(0))

    def calls(self) -> tuple[Call, ...]:
        """`.asof_join(other, ..)`."""
        within = {} if self.within_ms is None else {"within": Milliseconds(self.within_ms)}
        return (Call("asof_join", (OTHER_STREAMS,), {**self.options(), **within}),)
