"""WindowTop: the first rows, in an order, of each key and closed window."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar

from raystream.operators.call import Call
from raystream.operators.step import UserCode
from raystream.operators.top.step import Order
from raystream.operators.window.words import window_words
from raystream.operators.window_apply.step import WindowApply

if TYPE_CHECKING:
    from raystream.data.schema import Schema


@dataclass(frozen=True, slots=True)
class WindowTop(WindowApply):
    """Output columns: keys, window_start, window_end, the other columns of the rows, the rank.

    Args:
        number: How many rows of each key and window.
        by: The order; of equal rows the first ones in event time are first.
        rank: Output column with the place of a row, from 1; None: no such column.

    >>> WindowTop(("shop",), rs.tumbling("1m"), number=3, by=(Order("price"),)).words()
    'first 3 of tumbling 1m by shop by price desc'
    """

    word: ClassVar[str] = "window_top"
    form: ClassVar[str] = "top"
    user_code: ClassVar[UserCode] = UserCode.NONE

    function: Callable[[Any], Any] = len
    returns: Any = None
    number: int = 1
    by: tuple[Order, ...] = ()
    rank: str | None = None

    def columns_behind(self, inputs: Sequence[Schema]) -> Schema:
        """Those of the rows, with the bounds of the window and the rank."""
        from raystream.operators.window_top.columns import check

        check(self, inputs[0])
        return WindowApply.columns_behind(self, inputs)

    def returned(self, columns: Schema) -> Schema:
        """All columns of the rows but the key, and the rank."""
        from raystream.operators.window_top.columns import returned

        return returned(self, columns)

    def of_windows(self, rows: Any, window: str) -> Any:
        """The first rows of many windows."""
        from raystream.operators.window_top.columns import first_rows

        return first_rows(self, rows, window)

    def shares_panes(self) -> bool | None:
        """A row that is not among the first of its pane is not among those of a window."""
        return True

    def fewer(self, rows: Any, group: str, watermark: int) -> Any:
        """The first rows of each window, or pane."""
        return self.of_windows(rows, group).select(rows.columns)

    def user_functions(self) -> tuple[Callable[..., Any], ...]:
        """None."""
        return ()

    def words(self) -> str:
        """With number, window, key and order."""
        rank = "" if self.rank is None else f", with {self.rank}"
        order = ", ".join(map(str, self.by))
        return f"first {self.number} of {window_words(self.window, self.keys)} by {order}{rank}"

    def detail(self) -> str:
        """Window and order."""
        return repr((self.window, self.number, self.by))

    def calls(self) -> tuple[Call, ...]:
        """`.window(..)`, `.top(3, by=..)`."""
        window, _ = WindowApply.calls(self)
        options: dict[str, Any] = {"by": [str(each) for each in self.by]}
        options |= {} if self.rank is None else {"rank": self.rank}
        return window, Call("top", (self.number,), options)
