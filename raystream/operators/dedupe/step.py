"""Dedupe: the first of all rows that are equal in some columns."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar

from raystream.operators.call import Call, Milliseconds
from raystream.operators.needs import Columns, Needed, either
from raystream.operators.step import Step
from raystream.operators.top.step import Top
from raystream.operators.words import duration

if TYPE_CHECKING:
    from raystream.data.changes import Changes
    from raystream.data.schema import Schema


@dataclass(frozen=True, slots=True)
class Dedupe(Step):
    """The first row of each value of some columns, in the order in which rows arrive.

    Args:
        columns: Names, at least one.
        within_ms: How far in event time behind a row that passed another is its duplicate; None:
            no limit.
        last: Of equal rows the one with the greatest event time, a stream of changes; a key without
            a row for `within_ms` is forgotten.
        types: Of the columns, if known; the owner of a key depends on them.

    >>> Dedupe(("order", "shop"), 3_600_000).words()
    'first row of each order, shop within 1h'
    """

    word: ClassVar[str] = "dedupe"
    operator: ClassVar[str] = "raystream.operators.dedupe.operator:Dedupe"
    form: ClassVar[str] = "dedupe"
    keeps_state: ClassVar[bool] = True
    calls_cost: ClassVar[bool] = True
    counts_rows: ClassVar[bool] = True

    columns: tuple[str, ...]
    within_ms: int | None = None
    types: Any = None
    last: bool = False

    def columns_behind(self, inputs: Sequence[Schema]) -> Schema:
        """The columns of the input."""
        from raystream.operators.expressions import check_columns

        check_columns(list(self.columns), inputs[0].columns)
        return inputs[0]

    def changes(self, inputs: Sequence[Schema]) -> Changes | None:
        """A later row replaces the last one."""
        from raystream.data.changes import Changes

        Step.changes(self, inputs)
        return Changes(self.columns) if self.last else None

    def expand(self, inputs: Sequence[Schema], asked: Collection[str]) -> tuple[Step, ...]:
        """The last row is the first one by event time, from the end."""
        if not self.last:
            return (self.resolved(inputs).alone(),)
        top = Top(self.columns, 1, (), ttl_ms=self.within_ms, latest=True)
        return (top.resolved(inputs),)

    def unchanged(self, names: Collection[str]) -> frozenset[str]:
        """All."""
        return frozenset(names)

    def needs(self, wanted: Mapping[str, Needed], inputs: Columns) -> list[Needed]:
        """The requested columns, and those that are compared."""
        return [either(wanted["main"], frozenset(self.columns))]

    def routing(self, port: int) -> tuple[str, ...] | None:
        """Equal rows go to the same subtask."""
        return self.columns

    def width(self, asked: int | None, default: int, inputs: Sequence[int], cap: int | None) -> int:
        """Any parallelism: its rows are repartitioned."""
        return asked or default

    def resolved(self, inputs: Sequence[Schema]) -> Step:
        """Add the types of the columns."""
        known = inputs[0].columns
        if inputs[0].open or not set(self.columns) <= known.keys():
            return self
        return self.but(types={name: known[name] for name in self.columns})

    def meaning(self) -> dict[str, Any]:
        """The compared columns; `within` may change between runs."""
        types = {name: str(kind) for name, kind in (self.types or {}).items()}
        found: dict[str, Any] = {"kind": "Dedupe", "keys": list(self.columns)}
        return {**found, "key types": types} if types else found

    def words(self) -> str:
        """With the columns."""
        within = "" if self.within_ms is None else f" within {duration(self.within_ms)}"
        return f"{'last' if self.last else 'first'} row of each {', '.join(self.columns)}{within}"

    def label(self) -> tuple[str, str]:
        """With the columns."""
        return "dedupe", "-".join(self.columns)

    def calls(self) -> tuple[Call, ...]:
        """`.dedupe(..)`."""
        within = self.within_ms
        options: dict[str, Any] = {} if within is None else {"within": Milliseconds(within)}
        options |= {"keep": "last"} if self.last else {}
        return (Call("dedupe", self.columns, options),)
