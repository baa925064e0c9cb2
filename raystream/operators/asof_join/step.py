"""AsofJoin: each row with the latest row of another stream up to its own event time."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar

from raystream.errors import ConfigurationError
from raystream.operators.call import OTHER_STREAMS, Call, Milliseconds
from raystream.operators.joins.step import JoinStep
from raystream.operators.step import Step
from raystream.operators.words import duration

if TYPE_CHECKING:
    from raystream.data.changes import Changes
    from raystream.data.schema import Schema


@dataclass(frozen=True, slots=True)
class AsofJoin(JoinStep):
    """Rows of the right stream are versions: each holds until the next one of its key.

    Args:
        within_ms: How long a version holds at most; None: until the next one.
        deletes: Versions are records of a table, some of which remove the row of their key: then
            no version holds until the next one.

    >>> AsofJoin((("currency", "code"),), within_ms=86_400_000).words()
    'join on currency = code, as of its time, versions of 1d'
    """

    word: ClassVar[str] = "asof_join"
    form: ClassVar[str] = "asof_join"
    operator: ClassVar[str] = "raystream.operators.asof_join.operator:AsofJoin"

    within_ms: int | None = None
    deletes: bool = False

    def changes(self, inputs: Sequence[Schema]) -> Changes | None:
        """Rows are only added: a version is looked up once.

        Raises:
            ConfigurationError: versions that change in other ways than as records of a table.
        """
        if inputs[1].changes is not None and not self.deletes:
            what = "asof_join takes versions that are only added, or a table as it is read; these"
            what += " rows change earlier ones"
            advice = (
                "join with the stream of p.read(.., changes=) itself, and filter or compute behind"
                " the join"
            )
            raise ConfigurationError(what, what_to_do=advice)
        return Step.changes(self, inputs[:1])

    def condition(self) -> dict[str, Any]:
        """How long versions are kept, and whether they end."""
        return {"within": self.within_ms, **({"deletes": True} if self.deletes else {})}

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
