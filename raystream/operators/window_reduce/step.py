"""WindowReduce: the rows of each key and closed window in one, by a function of two rows."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar

from raystream.operators.call import Call, Function
from raystream.operators.window.words import window_words
from raystream.operators.window_apply.step import WindowApply
from raystream.operators.words import function_name

if TYPE_CHECKING:
    from raystream.data.schema import Schema


@dataclass(frozen=True, slots=True)
class WindowReduce(WindowApply):
    """Output columns: keys, window_start, window_end, the other columns of the rows.

    Args:
        reducer: Called with the row so far and the next one, in the order of event time.

    >>> WindowReduce(("shop",), rs.tumbling("1m"), reducer=max).words()
    'reduce by max of tumbling 1m by shop'
    """

    word: ClassVar[str] = "window_reduce"
    form: ClassVar[str] = "reduce"

    function: Callable[[Any], Any] = len
    returns: Any = None
    reducer: Callable[[Any, Any], Any] = max

    def returned(self, columns: Schema) -> Schema:
        """All columns of the rows but the key, and the bounds of windows."""
        from raystream.data.schema import Schema
        from raystream.operators.window_apply.columns import other_columns

        kept = other_columns(self.keys, columns)
        return Schema(kept, columns.required & kept.keys())

    def applied(self) -> Callable[[Any], Any]:
        """The function of a frame that calls the reducer."""
        from raystream.operators.window_reduce.reduced import Reduced

        return Reduced(self.reducer, self.keys, self.returned(self.columns))

    def of_windows(self, rows: Any, window: str) -> Any:
        """A row per window, if rows have only their key: a frame without columns has no rows."""
        if self.returned(self.columns).columns:
            return None
        return rows.select(window).unique(maintain_order=True)

    def shares_panes(self) -> bool | None:
        """The function is called from the first row on, with no part of a window by itself."""
        return False

    def fewer(self, rows: Any, group: str, watermark: int) -> Any:
        """What the function makes of the rows that event time has passed, and the others."""
        returned = None if self.columns is None else self.returned(self.columns)
        if returned is None or not returned.columns:
            return None
        from raystream.operators.window_reduce.reduced import Reduced

        reduced = Reduced(self.reducer, self.keys, returned)
        return reduced.first_rows(rows, group, watermark)

    def user_functions(self) -> tuple[Callable[..., Any], ...]:
        """The reducer."""
        return (self.reducer,)

    def words(self) -> str:
        """With function, window and key."""
        return f"reduce by {self._name()} of {window_words(self.window, self.keys)}"

    def detail(self) -> str:
        """Window and function."""
        return repr((self.window, self._name()))

    def calls(self) -> tuple[Call, ...]:
        """`.window(..)`, `.reduce(function)`."""
        window, _ = WindowApply.calls(self)
        return window, Call("reduce", (Function(self.reducer),))

    def _name(self) -> str:
        return function_name(self.reducer) or "lambda"
