"""Rename: the same rows, with columns under other names."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

from raystream.operators.call import Call
from raystream.operators.needs import Columns, Needed
from raystream.operators.step import Step

if TYPE_CHECKING:
    from raystream.data.schema import Schema


@dataclass(frozen=True, slots=True)
class Rename(Step):
    """Columns under other names: old name -> new one; two may swap their names.

    >>> Rename({"ip": "address"}).words()
    'rename ip to address'
    """

    word: ClassVar[str] = "rename"
    form: ClassVar[str] = "rename"
    takes_changes: ClassVar[bool] = True
    operator: ClassVar[str] = "raystream.operators.rename.operator:Rename"

    columns: Mapping[str, str]

    def columns_behind(self, inputs: Sequence[Schema]) -> Schema:
        """The same columns, in the same order."""
        from raystream.data.schema import Schema
        from raystream.operators.rename.columns import check_names

        (schema,) = inputs
        check_names(self.columns, schema.columns)
        columns = {self._new(name): dtype for name, dtype in schema.columns.items()}
        return Schema(columns, frozenset(map(self._new, schema.required)), self.key(inputs))

    def _new(self, name: str) -> str:
        return self.columns.get(name, name)

    def key(self, inputs: Sequence[Schema]) -> tuple[str, ...]:
        """The key under its new names."""
        return tuple(map(self._new, inputs[0].key))

    def unchanged(self, names: Collection[str]) -> frozenset[str]:
        """The columns that keep their names."""
        return frozenset(names) - {*self.columns, *self.columns.values()}

    def copies(self, names: Collection[str]) -> dict[str, str]:
        """All."""
        return {self._new(name): name for name in names}

    def needs(self, wanted: Mapping[str, Needed], inputs: Columns) -> list[Needed]:
        """The requested columns, and those renamed, whose existence is checked at run time."""
        main = wanted["main"]
        if main is None:
            return [None]
        old = {new: name for name, new in self.columns.items()}
        return [frozenset(old.get(name, name) for name in main) | frozenset(self.columns)]

    def words(self) -> str:
        """With the columns."""
        return "rename " + ", ".join(f"{old} to {new}" for old, new in self.columns.items())

    def label(self) -> tuple[str, str]:
        """With the new names."""
        return "rename", "-".join(self.columns.values())

    def calls(self) -> tuple[Call, ...]:
        """`.rename(old="new")`."""
        return (Call("rename", columns=self.columns),)
