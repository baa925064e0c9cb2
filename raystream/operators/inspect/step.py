"""Inspect: rows are looked at by a function, and passed unchanged."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar

from raystream.operators.call import Call, Function
from raystream.operators.needs import Columns, Needed
from raystream.operators.step import Step, UserCode
from raystream.operators.words import function, function_name

if TYPE_CHECKING:
    from raystream.data.schema import Schema


@dataclass(frozen=True, slots=True)
class Inspect(Step):
    """Call a function with each row (a dict), or each batch; what it returns is ignored.

    Args:
        function: Called for its effect.
        batch_format: polars | pandas | pyarrow: called with frames; None: with rows.

    >>> Inspect(print).words(), Inspect(print, "polars").words()
    ('inspect print', 'inspect batches print')
    """

    word: ClassVar[str] = "inspect"
    form: ClassVar[str] = "inspect"
    takes_changes: ClassVar[bool] = True
    operator: ClassVar[str] = "raystream.operators.inspect.operator:Inspect"
    user_code: ClassVar[UserCode] = UserCode.ROWS
    only_looks: ClassVar[bool] = True

    function: Callable[[Any], object]
    batch_format: str | None = None

    def columns_behind(self, inputs: Sequence[Schema]) -> Schema:
        """The same columns."""
        from raystream.operators.batch_formats import check_installed

        if self.batch_format is not None:
            check_installed(self.batch_format, "inspect")
        return inputs[0]

    def unchanged(self, names: Collection[str]) -> frozenset[str]:
        """All."""
        return frozenset(names)

    def needs(self, wanted: Mapping[str, Needed], inputs: Columns) -> list[Needed]:
        """All columns: the function sees them."""
        return [None]

    def user_functions(self) -> tuple[Callable[..., Any], ...]:
        """The function."""
        return (self.function,)

    def code(self) -> UserCode:
        """Of batches, if they have a format."""
        return UserCode.ROWS if self.batch_format is None else UserCode.BATCHES

    def words(self) -> str:
        """With the name of the function."""
        return function(
            "inspect" if self.batch_format is None else "inspect batches", self.function
        )

    def label(self) -> tuple[str, str]:
        """With the name of the function."""
        return "inspect", function_name(self.function)

    def calls(self) -> tuple[Call, ...]:
        """`.inspect(function, ..)`."""
        options = {} if self.batch_format is None else {"batch_format": self.batch_format}
        return (Call("inspect", (Function(self.function),), options),)
