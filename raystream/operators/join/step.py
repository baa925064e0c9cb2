"""Join: every pair of rows of two streams with equal keys, kept for ever or for a time to live."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar

from raystream.operators.call import OTHER_STREAMS, Call, Milliseconds
from raystream.operators.joins.kinds import JoinKind
from raystream.operators.joins.step import JoinStep
from raystream.operators.step import Step
from raystream.operators.words import duration

if TYPE_CHECKING:
    from raystream.data.changes import Changes
    from raystream.data.schema import Schema


@dataclass(frozen=True, slots=True)
class Join(JoinStep):
    """Pairs of rows, whenever they come.

    Its rows change earlier ones, if those of an input do, or if rows without a match are given:
    they are given at once, and taken back when their match comes.

    Args:
        ttl_ms: How far apart in event time two rows may be, and how long each is kept; None: no
            limit.
        changing: Its rows change earlier ones; set by the plan.

    >>> Join((("seller", "id"),), ttl_ms=86_400_000).words()
    'join on seller = id, rows live 1d'
    """

    word: ClassVar[str] = "join"
    operator: ClassVar[str] = "raystream.operators.join.operator:operator"
    takes_changes: ClassVar[bool] = True

    ttl_ms: int | None = None
    changing: bool = False

    def resolved(self, inputs: Sequence[Schema]) -> Step:
        """Add the columns of both streams, and whether rows change others."""
        changing = self.changes(inputs) is not None
        found = self.but(changing=changing)
        return JoinStep.resolved(found, inputs)

    def changes(self, inputs: Sequence[Schema]) -> Changes | None:
        """Only pairs of rows that are only added stay."""
        from raystream.data.changes import Changes

        if self.how is JoinKind.INNER and all(schema.changes is None for schema in inputs):
            return None
        return Changes(self._identified_by(inputs))

    def _identified_by(self, inputs: Sequence[Schema]) -> tuple[str, ...] | None:
        """What identifies a row of each input that has one; keys say which subtask changes it."""
        from raystream.operators.joins.columns import right_names

        sides = self.identity(inputs)
        if sides is None:
            return None
        left, right = inputs
        names = right_names(left.names(), right.names(), self.on, self.suffix)
        found: list[str] = []
        if sides[0] and left.changes is not None:
            found += [*(left.changes.by or ()), *self.keys(0)]
        if sides[1] and right.changes is not None:
            found += [names.get(n, n) for n in (*(right.changes.by or ()), *self.keys(1))]
        return tuple(dict.fromkeys(found))

    def identity(self, inputs: Sequence[Schema]) -> tuple[bool, bool] | None:
        """Whether what identifies rows of each input identifies the rows of the result.

        Of an input that has one row of each key at most, nothing is needed beside the other one.
        """
        if any(schema.open for schema in inputs):
            return None
        by = [None if schema.changes is None else schema.changes.by for schema in inputs]
        one = [None if names is None else set(names) <= set(self.keys(port))
               for port, names in enumerate(by)]  # fmt: skip
        if not self.how.pairs:
            return None if by[0] is None else (True, False)
        if by[0] is not None and one[1] and not self.how.unmatched(1):
            return True, False
        if by[1] is not None and one[0] and not self.how.unmatched(0):
            return False, True
        return None if None in by else (True, True)

    def condition(self) -> dict[str, Any]:
        """How long rows are kept, and which may be taken back."""
        found: dict[str, Any] = {"ttl": self.ttl_ms}
        if self.schemas is not None and any(s.changes is not None for s in self.schemas):
            found["changing"] = [schema.changes is not None for schema in self.schemas]
        return found

    def more_words(self) -> str:
        """How long rows are kept."""
        live = "for ever" if self.ttl_ms is None else duration(self.ttl_ms)
        return f", rows live {live}"

    def calls(self) -> tuple[Call, ...]:
        """`.join(other, ttl=..)`."""
        ttl = {} if self.ttl_ms is None else {"ttl": Milliseconds(self.ttl_ms)}
        return (Call("join", (OTHER_STREAMS,), {**self.options(), **ttl}),)
