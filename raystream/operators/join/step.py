"""Join: every pair of rows of two streams with equal keys, kept for ever or for a time to live."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar

from raystream.operators.call import OTHER_STREAMS, Call, Milliseconds
from raystream.operators.joins.step import JoinStep
from raystream.operators.words import duration


@dataclass(frozen=True, slots=True)
class Join(JoinStep):
    """Pairs of rows, whenever they come.

    Args:
        ttl_ms: How far apart in event time two rows may be, and how long each is kept; None: no
            limit.

    >>> Join((("seller", "id"),), ttl_ms=86_400_000).words()
    'join on seller = id, rows live 1d'
    """

    word: ClassVar[str] = "join"
    operator: ClassVar[str] = "raystream.operators.join.operator:Join"

    ttl_ms: int | None = None

    def condition(self) -> dict[str, Any]:
        """How long rows are kept."""
        return {"ttl": self.ttl_ms}

    def more_words(self) -> str:
        """How long rows are kept."""
        live = "for ever" if self.ttl_ms is None else duration(self.ttl_ms)
        return f", rows live {live}"

    def calls(self) -> tuple[Call, ...]:
        """`.join(other, ttl=..)`."""
        ttl = {} if self.ttl_ms is None else {"ttl": Milliseconds(self.ttl_ms)}
        return (Call("join", (OTHER_STREAMS,), {**self.options(), **ttl}),)
