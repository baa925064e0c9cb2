"""SessionAggregate: aggregates over the sessions of each key."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, ClassVar

from raystream.graph.aggregates import Aggregate, functions_of
from raystream.graph.policies import Early, Emit, ErrorPolicy, OnClose, OnUpdate
from raystream.graph.windows import Session
from raystream.operators.call import Call, Milliseconds
from raystream.operators.keyed_step import KeyedStep
from raystream.operators.needs import Columns, Needed, every, of_aggregates
from raystream.operators.step import Step
from raystream.operators.window.words import label_of, window_words
from raystream.operators.words import meaning_of

if TYPE_CHECKING:
    from raystream.data.changes import Changes
    from raystream.data.schema import Schema


@dataclass(frozen=True, slots=True)
class SessionAggregate(KeyedStep):
    """Output columns: keys, window_start, window_end, aggregates.

    `keys` may be empty: sessions of all rows, computed by one subtask.

    Args:
        keys: Key columns.
        window: The gap.
        aggregates: Output column -> aggregate.
        allowed_lateness_ms: How long after its end a session still accepts rows.
        errors: Policy for rows that cannot be computed, and for results that do not fit.
        columns: Schema of the rows, set by the plan if it is known.
        emit: When rows are emitted; unless it is on close they change earlier ones.

    >>> SessionAggregate(("user",), rs.session("10m"), {"n": rs.count()}).words()
    'session 10m by user: n = count'
    """

    word: ClassVar[str] = "session_aggregate"
    form: ClassVar[str] = "aggregate"
    operator: ClassVar[str] = "raystream.operators.session.operator:SessionAggregate"
    keeps_state: ClassVar[bool] = True
    calls_cost: ClassVar[bool] = True
    keeps_records: ClassVar[bool] = False
    counts_rows: ClassVar[bool] = True
    side_tags: ClassVar[tuple[str, ...]] = ("late",)

    keys: tuple[str, ...]
    window: Session
    aggregates: Mapping[str, Aggregate]
    allowed_lateness_ms: int = 0
    errors: ErrorPolicy = ErrorPolicy.FAIL
    columns: Any = None
    emit: Emit = field(default_factory=OnClose)

    def user_functions(self) -> tuple[Callable[..., Any], ...]:
        """Those of aggregates of the user."""
        return functions_of(self.aggregates.values())

    def columns_behind(self, inputs: Sequence[Schema]) -> Schema:
        """Keys, bounds of the session, aggregates."""
        from raystream.operators.session.columns import output_schema

        return output_schema(self, inputs[0])

    def changes(self, inputs: Sequence[Schema]) -> Changes | None:
        """A session is identified by its bounds, until it grows."""
        from raystream.data.changes import Changes

        found = Step.changes(self, inputs)
        by = (*self.keys, "window_start", "window_end")
        return found if isinstance(self.emit, OnClose) else Changes(by)

    def needs(self, wanted: Mapping[str, Needed], inputs: Columns) -> list[Needed]:
        """The keys, the gap, what the aggregates read, and what is requested of late rows."""
        own = {*self.keys, *([self.window.column] if self.window.column else [])}
        read = of_aggregates(self.aggregates.values(), inputs[0])
        return [every([wanted["late"], frozenset(own), read])]

    def needs_order(self, asked: Collection[str]) -> bool:
        """For a first, last or collect; also if late rows need it."""
        return "late" in asked or any(each.by_place for each in self.aggregates.values())

    def gives_again(self) -> bool:
        """A late row emits its session again."""
        return bool(self.allowed_lateness_ms) and isinstance(self.emit, OnClose)

    def meaning(self) -> dict[str, Any]:
        """What it computes, with the types of the key: the owner of a key depends on them."""
        aggregates = meaning_of(self.aggregates)
        found: dict[str, Any] = {"kind": "SessionAggregate", "keys": list(self.keys)}
        found |= {"window": str(self.window), "aggregates": aggregates}
        found |= {} if isinstance(self.emit, OnClose) else {"emit": type(self.emit).__name__}
        return found | self.key_types()

    def words(self) -> str:
        """With gap, key and aggregates."""
        columns = ", ".join(f"{name} = {a.title}" for name, a in self.aggregates.items())
        return f"{window_words(self.window, self.keys)}: {columns}"

    def label(self) -> tuple[str, str]:
        """With gap and key."""
        return label_of(self.window), "-".join(self.keys)

    def detail(self) -> str:
        """Gap and columns."""
        return repr((self.window, sorted(self.aggregates)))

    def calls(self) -> tuple[Call, ...]:
        """`.window(..)`, `.agg(..)`."""
        options: dict[str, Any] = {}
        if self.allowed_lateness_ms:
            options["allowed_lateness"] = Milliseconds(self.allowed_lateness_ms)
        if isinstance(self.emit, Early):
            options["emit"] = self.emit
        if isinstance(self.emit, OnUpdate):
            options["emit"] = "on_update"
        return Call("window", (self.window,), options), Call("agg", columns=self.aggregates)
