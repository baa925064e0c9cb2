"""Latest: records that set and remove rows by key become changes (Flink's ChangelogNormalize)."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar

from raystream.operators.call import Call
from raystream.operators.needs import Columns, Needed, either
from raystream.operators.step import Step

if TYPE_CHECKING:
    from raystream.data.schema import Schema


@dataclass(frozen=True, slots=True)
class Latest(Step):
    """The row of each key as the last record has set it; a stream of changes.

    The pipeline adds it behind a read with `changes=`; it has no verb of its own.

    Args:
        keys: Columns that identify a row.
        types: Of all columns that are kept, set by the plan if they are known.

    >>> Latest(("id",)).words()
    'row of each id'
    """

    word: ClassVar[str] = "latest"
    operator: ClassVar[str] = "raystream.operators.latest.operator:Latest"
    takes_changes: ClassVar[bool] = True
    keeps_state: ClassVar[bool] = True
    keeps_records: ClassVar[bool] = False
    calls_cost: ClassVar[bool] = True

    keys: tuple[str, ...]
    types: Any = None

    def key(self, inputs: Sequence[Schema]) -> tuple[str, ...]:
        """The columns that identify a row."""
        return self.keys

    def needs(self, wanted: Mapping[str, Needed], inputs: Columns) -> list[Needed]:
        """The requested columns, and the key."""
        return [either(wanted["main"], frozenset(self.keys))]

    def needs_order(self, asked: Collection[str]) -> bool:
        """No: its rows are of no single record."""
        return False

    def routing(self, port: int) -> tuple[str, ...] | None:
        """By key."""
        return self.keys

    def width(self, asked: int | None, default: int, inputs: Sequence[int], cap: int | None) -> int:
        """Any parallelism: its rows are repartitioned."""
        return asked or default

    def resolved(self, inputs: Sequence[Schema]) -> Step:
        """Add the types of the columns."""
        return self if inputs[0].open else self.but(types=dict(inputs[0].columns))

    def unchanged(self, names: Collection[str]) -> frozenset[str]:
        """All."""
        return frozenset(names)

    def meaning(self) -> dict[str, Any]:
        """The key, with its types: the owner of a key depends on them."""
        known = self.types or {}
        types = {key: str(known[key]) for key in self.keys if key in known}
        return {"kind": "Latest", "keys": list(self.keys), "key types": types}

    def words(self) -> str:
        """With the key."""
        return f"row of each {', '.join(self.keys)}"

    def label(self) -> tuple[str, str]:
        """With the key."""
        return "latest", "-".join(self.keys)

    def calls(self) -> tuple[Call, ...]:
        """None: the read in front of it makes it."""
        return ()
