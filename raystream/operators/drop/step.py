"""Drop: all columns but these."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

from raystream.operators.call import Call
from raystream.operators.needs import Columns, Needed, either
from raystream.operators.step import Step

if TYPE_CHECKING:
    from raystream.data.schema import Schema


@dataclass(frozen=True, slots=True)
class Drop(Step):
    """All columns but these names.

    >>> Drop(("a", "b")).words()
    'drop a, b'
    """

    word: ClassVar[str] = "drop"
    form: ClassVar[str] = "drop"
    takes_changes: ClassVar[bool] = True
    operator: ClassVar[str] = "raystream.operators.drop.operator:Drop"

    columns: tuple[str, ...]

    def columns_behind(self, inputs: Sequence[Schema]) -> Schema:
        """The other columns."""
        from raystream.operators.expressions import check_columns

        (schema,) = inputs
        check_columns(list(self.columns), schema.columns)
        return schema.project(name for name in schema.columns if name not in self.columns)

    def key(self, inputs: Sequence[Schema]) -> tuple[str, ...]:
        """The key, unless one of its columns is dropped."""
        return inputs[0].key if set(self.columns).isdisjoint(inputs[0].key) else ()

    def unchanged(self, names: Collection[str]) -> frozenset[str]:
        """The columns that are kept."""
        return frozenset(names) - set(self.columns)

    def needs(self, wanted: Mapping[str, Needed], inputs: Columns) -> list[Needed]:
        """The requested columns, and the dropped ones, whose existence is checked at run time."""
        return [either(wanted["main"], frozenset(self.columns))]

    def words(self) -> str:
        """With the columns."""
        return f"drop {', '.join(self.columns)}"

    def label(self) -> tuple[str, str]:
        """With the columns."""
        return "drop", "-".join(self.columns)

    def calls(self) -> tuple[Call, ...]:
        """`.drop(..)`."""
        return (Call("drop", self.columns),)
