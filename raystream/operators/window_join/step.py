"""WindowJoin: rows of two streams with equal keys in the same window."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar

from raystream.graph.windows import Tumbling, Window
from raystream.operators.call import OTHER_STREAMS, Call
from raystream.operators.joins.step import JoinStep
from raystream.operators.window.words import window_words

if TYPE_CHECKING:
    from raystream.data.schema import Schema


@dataclass(frozen=True, slots=True)
class WindowJoin(JoinStep):
    """Pairs of each window, given when it is over.

    Args:
        window: How event time is cut.

    >>> WindowJoin((("id", "seller"),), window=Tumbling(10_000)).words()
    'join on id = seller, tumbling 10s'
    """

    word: ClassVar[str] = "window_join"
    operator: ClassVar[str] = "raystream.operators.window_join.operator:WindowJoin"

    window: Window = Tumbling(60_000)

    def columns_behind(self, inputs: Sequence[Schema]) -> Schema:
        """The columns of the join, then those of the window."""
        from raystream.operators.window_join.columns import with_window

        return with_window(JoinStep.columns_behind(self, inputs))

    def condition(self) -> dict[str, Any]:
        """The window."""
        return {"window": repr(self.window)}

    def more_words(self) -> str:
        """The window."""
        return f", {window_words(self.window)}"

    def calls(self) -> tuple[Call, ...]:
        """`.join(other, window=..)`."""
        return (Call("join", (OTHER_STREAMS,), {**self.options(), "window": self.window}),)
