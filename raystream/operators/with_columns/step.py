"""WithColumns: columns added or replaced."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

from raystream.graph.policies import ErrorPolicy
from raystream.operators.call import Call
from raystream.operators.needs import Columns, Needed, every, roots
from raystream.operators.step import Expression, Step
from raystream.operators.words import copied

if TYPE_CHECKING:
    from raystream.data.schema import Schema


@dataclass(frozen=True, slots=True)
class WithColumns(Step):
    """Columns added or replaced: name -> Expression.

    >>> WithColumns({"total": "price * n"}).words()
    'with total = price * n'
    """

    word: ClassVar[str] = "with_columns"
    form: ClassVar[str] = "with_columns"
    takes_changes: ClassVar[bool] = True
    operator: ClassVar[str] = "raystream.operators.with_columns.operator:WithColumns"

    columns: Mapping[str, Expression]
    errors: ErrorPolicy = ErrorPolicy.FAIL

    def columns_behind(self, inputs: Sequence[Schema]) -> Schema:
        """The input columns, followed by the new ones."""
        from raystream.operators.with_columns.columns import output_schema

        return output_schema(self, inputs[0])

    def unchanged(self, names: Collection[str]) -> frozenset[str]:
        """The columns that are not replaced."""
        return frozenset(names) - self.columns.keys()

    def copies(self, names: Collection[str]) -> dict[str, str]:
        """Those, and new ones that are nothing but another column."""
        same = {name: copied(written) for name, written in self.columns.items()}
        found = {name: old for name, old in same.items() if old is not None and old in names}
        return {**{name: name for name in self.unchanged(names)}, **found}

    def needs(self, wanted: Mapping[str, Needed], inputs: Columns) -> list[Needed]:
        """What is requested of the others, and what the new ones read, requested or not."""
        main = wanted["main"]
        rest = None if main is None else main - set(self.columns)
        return [every([rest, *(roots(value, inputs[0]) for value in self.columns.values())])]

    def words(self) -> str:
        """With the expressions."""
        return "with " + ", ".join(f"{name} = {value}" for name, value in self.columns.items())

    def label(self) -> tuple[str, str]:
        """With the names of the columns."""
        return "with", "-".join(self.columns)

    def calls(self) -> tuple[Call, ...]:
        """`.with_columns(name=..)`."""
        return (Call("with_columns", columns=self.columns),)
