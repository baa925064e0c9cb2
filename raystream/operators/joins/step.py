"""JoinStep: what plan, explain and restore ask of any join of two streams."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar

from raystream.operators.joins.kinds import JoinKind
from raystream.operators.needs import Columns, Needed
from raystream.operators.step import Inputs, Step

if TYPE_CHECKING:
    from raystream.data.schema import Schema

SUFFIX = "_right"
"""Behind the name of a right column whose name the left stream has, too."""


@dataclass(frozen=True, slots=True)
class JoinStep(Step):
    """Rows of two streams with equal keys.

    Args:
        on: Pairs of key columns: of the left stream, of the right stream.
        how: Which rows it gives.
        suffix: Appended to names of right columns that the left stream has, too.
        schemas: Columns of both streams, once they are known.
    """

    inputs: ClassVar[Inputs] = Inputs.MANY
    form: ClassVar[str] = "join"
    keeps_state: ClassVar[bool] = True
    keeps_records: ClassVar[bool] = False
    counts_rows: ClassVar[bool] = True
    calls_cost: ClassVar[bool] = True
    side_tags: ClassVar[tuple[str, ...]] = ("late",)

    on: tuple[tuple[str, str], ...]
    how: JoinKind = JoinKind.INNER
    suffix: str = SUFFIX
    schemas: Any = None

    def keys(self, port: int) -> tuple[str, ...]:
        """Key columns of an input."""
        return tuple(pair[port] for pair in self.on)

    # -- columns -------------------------------------------------------------------------------

    def outputs(self, inputs: Sequence[Schema]) -> dict[str, Schema]:
        """`late` has the columns of a full join: those of the other stream are null."""
        from raystream.data.schema import Schema
        from raystream.operators.joins.columns import joined_schema

        found = {"main": self._main(inputs)}
        if any(schema.open for schema in inputs):
            return {**found, "late": Schema({}, open=True)}
        left, right = inputs
        return {**found, "late": joined_schema(left, right, self.on, JoinKind.FULL, self.suffix)}

    def columns_behind(self, inputs: Sequence[Schema]) -> Schema:
        """The columns of both, or of the left one only."""
        from raystream.operators.joins.columns import joined_schema

        left, right = inputs
        self.check(left, right)
        return joined_schema(left, right, self.on, self.how, self.suffix)

    def check(self, left: Schema, right: Schema) -> None:
        """Refuse columns that do not fit its further options.

        Raises:
            ConfigurationError: without `where`.
        """

    def key(self, inputs: Sequence[Schema]) -> tuple[str, ...]:
        """What both have in common, as far as every row has it."""
        mine, theirs = self.keys(0), self.keys(1)
        if mine == theirs or not self.how.unmatched(1):
            return mine
        if self.how.unmatched(0):
            return ()
        if any(schema.open for schema in inputs):
            return theirs
        from raystream.operators.joins.columns import right_names

        left, right = inputs
        names = right_names(left.names(), right.names(), self.on, self.suffix)
        return tuple(names.get(name, name) for name in theirs)

    # -- push-down -----------------------------------------------------------------------------

    def needs(self, wanted: Mapping[str, Needed], inputs: Columns) -> list[Needed]:
        """Keys, and the columns asked for; of a renamed column also the one it collides with."""
        from raystream.operators.joins.columns import right_names

        left, right = inputs
        asked = [wanted.get(tag, frozenset()) for tag in ("main", *self.side_tags)]
        if not left or not right or any(names is None for names in asked):
            return self._all_but_right(wanted)
        every = frozenset[str]().union(*(names for names in asked if names is not None))
        named = right_names(left, right, self.on, self.suffix)
        theirs = {name for name, new in named.items() if new in every}
        mine = {n for n in left if n in every} | {n for n in theirs if named[n] != n}
        return [
            frozenset(mine | set(self.keys(0)) | self.own_columns()),
            frozenset(theirs | set(self.keys(1))),
        ]

    def _all_but_right(self, wanted: Mapping[str, Needed]) -> list[Needed]:
        late = wanted.get("late", frozenset())
        only_keys = not self.how.pairs and late is not None and not late
        return [None, frozenset(self.keys(1)) if only_keys else None]

    def own_columns(self) -> frozenset[str]:
        """Further columns of the left stream that it needs itself."""
        return frozenset()

    def needs_order(self, asked: Any) -> bool:
        """A joined row comes from two records."""
        return False

    # -- what runs -----------------------------------------------------------------------------

    def routing(self, port: int) -> tuple[str, ...] | None:
        """Equal keys go to the same subtask."""
        return self.keys(port)

    def width(self, asked: int | None, default: int, inputs: Sequence[int], cap: int | None) -> int:
        """Any parallelism: its rows are repartitioned."""
        return asked or default

    def resolved(self, inputs: Sequence[Schema]) -> Step:
        """Add the columns of both streams."""
        if any(schema.open for schema in inputs):
            return self
        return self.but(schemas=tuple(inputs))

    # -- checkpoints and words -----------------------------------------------------------------

    def meaning(self) -> dict[str, Any]:
        """Keys, kind and condition."""
        found: dict[str, Any] = {
            "kind": type(self).__name__,
            "keys": [list(pair) for pair in self.on],
            "how": str(self.how),
            **self.condition(),
        }
        if self.schemas is not None:
            left = self.schemas[0].columns
            found["key types"] = {n: str(left[n]) for n in self.keys(0) if n in left}
        return found

    def condition(self) -> dict[str, Any]:
        """What it asks of a pair beside equal keys, as JSON."""
        return {}

    def words(self) -> str:
        """With the keys and the condition."""
        equal = " and ".join(a if a == b else f"{a} = {b}" for a, b in self.on)
        kind = "join" if self.how is JoinKind.INNER else f"{self.how} join"
        return f"{kind} on {equal}{self.more_words()}"

    def more_words(self) -> str:
        """The condition, in a few words."""
        return ""

    def label(self) -> tuple[str, str]:
        """With the keys."""
        return "join", "-".join(self.keys(0))

    def detail(self) -> str:
        """Kind and condition."""
        return f"{self.how} {self.on}{self.more_words()}"

    def options(self) -> dict[str, Any]:
        """Options of `.join(..)` that all joins have."""
        same = all(a == b for a, b in self.on)
        names: Any = self.keys(0) if same else dict(self.on)
        found: dict[str, Any] = {"on": names[0] if same and len(names) == 1 else names}
        if self.how is not JoinKind.INNER:
            found["how"] = str(self.how)
        if self.suffix != SUFFIX:
            found["suffix"] = self.suffix
        return found
