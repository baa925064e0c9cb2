"""Select: only these columns, by name or as named expressions."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

from raystream.graph.policies import ErrorPolicy
from raystream.operators.call import Call
from raystream.operators.needs import Columns, Needed, every, roots
from raystream.operators.step import Expression, Step
from raystream.operators.words import column

if TYPE_CHECKING:
    from raystream.data.schema import Schema


@dataclass(frozen=True, slots=True)
class Select(Step):
    """Only these columns: names (str) or pl.Expr with an output name.

    >>> Select(("a", (rs.col("n") * 2).alias("b"))).label()
    ('select', 'a-b')
    """

    word: ClassVar[str] = "select"
    form: ClassVar[str] = "select"
    operator: ClassVar[str] = "raystream.operators.select.operator:Select"

    columns: tuple[Expression, ...]
    errors: ErrorPolicy = ErrorPolicy.FAIL

    def columns_behind(self, inputs: Sequence[Schema]) -> Schema:
        """The chosen columns."""
        from raystream.operators.select.columns import output_schema

        return output_schema(self, inputs[0])

    def key(self, inputs: Sequence[Schema]) -> tuple[str, ...]:
        """The key, if all of its columns are selected."""
        key, plain = inputs[0].key, [each for each in self.columns if not _is_several(each)]
        if len(plain) < len(self.columns):  # checked downstream
            return key
        return key if set(key) <= {column(each) for each in plain} else ()

    def unchanged(self, names: Collection[str]) -> frozenset[str]:
        """The columns that are selected by name."""
        return frozenset(names) & {each for each in self.columns if isinstance(each, str)}

    def needs(self, wanted: Mapping[str, Needed], inputs: Columns) -> list[Needed]:
        """What the columns read, requested or not."""
        read = (frozenset([c]) if isinstance(c, str) else roots(c) for c in self.columns)
        return [every(read)]

    def words(self) -> str:
        """With the columns."""
        return f"select {', '.join(str(each) for each in self.columns)}"

    def label(self) -> tuple[str, str]:
        """With the names of the columns."""
        return "select", "-".join(column(each) for each in self.columns)

    def calls(self) -> tuple[Call, ...]:
        """`.select(..)`."""
        return (Call("select", self.columns),)


def _is_several(written: Expression) -> bool:
    """Whether this is an expression of several columns, such as pl.all()."""
    meta = getattr(written, "meta", None)
    return meta is not None and bool(meta.has_multiple_outputs())
