"""Over: each row with aggregates over the rows of its key before it."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar

from raystream.graph.aggregates import Aggregate, functions_of
from raystream.graph.over import Lag, OverFunction
from raystream.graph.policies import ErrorPolicy
from raystream.operators.call import Call, Milliseconds
from raystream.operators.keyed_step import KeyedStep
from raystream.operators.needs import Columns, Needed, every, of_aggregates, roots
from raystream.operators.words import duration, meaning_of

if TYPE_CHECKING:
    from raystream.data.schema import Schema


@dataclass(frozen=True, slots=True)
class Over(KeyedStep):
    """Output columns: those of the row, and the functions; emitted in the order of event time.

    Args:
        keys: Key columns; none: all rows are of one sequence, computed by one subtask.
        functions: Output column -> aggregate, rs.row_number or rs.lag.
        rows: Aggregates are over so many rows, the last of which is the row itself.
        range_ms: Or over the rows that are at most so much older in event time; neither: over all
            rows so far.
        ttl_ms: A key without a row for so long in event time is forgotten; None: never.
        errors: Policy for rows that cannot be computed, and for results that do not fit.
        columns: Schema of the rows, set by the plan if it is known.

    >>> Over(("shop",), {"mean": rs.mean("price")}, rows=10).words()
    'over 10 rows of shop: mean = mean'
    """

    word: ClassVar[str] = "over"
    form: ClassVar[str] = "over"
    operator: ClassVar[str] = "raystream.operators.over.operator:Over"
    keeps_state: ClassVar[bool] = True
    keeps_records: ClassVar[bool] = False
    calls_cost: ClassVar[bool] = True
    counts_rows: ClassVar[bool] = True
    side_tags: ClassVar[tuple[str, ...]] = ("late",)

    keys: tuple[str, ...]
    functions: Mapping[str, OverFunction]
    rows: int | None = None
    range_ms: int | None = None
    ttl_ms: int | None = None
    errors: ErrorPolicy = ErrorPolicy.FAIL
    columns: Any = None

    @property
    def aggregates(self) -> dict[str, Aggregate]:
        """The aggregates among the functions."""
        return {n: one for n, one in self.functions.items() if isinstance(one, Aggregate)}

    @property
    def lags(self) -> dict[str, Lag]:
        """The values of earlier rows."""
        return {n: one for n, one in self.functions.items() if isinstance(one, Lag)}

    @property
    def is_running(self) -> bool:
        """Whether aggregates are over all rows so far."""
        return self.rows is None and self.range_ms is None and bool(self.aggregates)

    def user_functions(self) -> tuple[Callable[..., Any], ...]:
        """Those of aggregates of the user."""
        return functions_of(self.aggregates.values())

    def columns_behind(self, inputs: Sequence[Schema]) -> Schema:
        """The columns of the rows, and the functions."""
        from raystream.operators.over.columns import output_schema

        return output_schema(self, inputs[0])

    def key(self, inputs: Sequence[Schema]) -> tuple[str, ...]:
        """That of the input."""
        return inputs[0].key

    def needs(self, wanted: Mapping[str, Needed], inputs: Columns) -> list[Needed]:
        """What is requested of the rows, the keys, and what the functions read."""
        main = wanted["main"]
        rest = None if main is None else main - self.functions.keys()
        lags = [one.value for one in self.lags.values()]
        read = of_aggregates(self.aggregates.values(), inputs[0])
        lagged = (roots(value, inputs[0]) for value in lags)
        return [every([rest, wanted["late"], frozenset(self.keys), read, *lagged])]

    def unchanged(self, names: Collection[str]) -> frozenset[str]:
        """All but the functions, which are new."""
        return frozenset(names) - self.functions.keys()

    def needs_order(self, asked: Collection[str]) -> bool:
        """Rows of one event time are in the order of their partition."""
        return True

    def meaning(self) -> dict[str, Any]:
        """What it computes, with the types of the key: the owner of a key depends on them."""
        others = {n: str(one) for n, one in self.functions.items() if n not in self.aggregates}
        functions = {**meaning_of(self.aggregates), **others}
        found: dict[str, Any] = {"kind": "Over", "keys": list(self.keys), "over": self._reach()}
        found["functions"] = functions
        return found | self.key_types()

    def words(self) -> str:
        """With reach, key and functions."""
        kinds = {n: getattr(one, "title", type(one).__name__) for n, one in self.functions.items()}
        columns = ", ".join(f"{name} = {kind}" for name, kind in kinds.items())
        keys = f" of {', '.join(self.keys)}" if self.keys else ""
        ttl = "" if self.ttl_ms is None else f", ttl {duration(self.ttl_ms)}"
        return f"over {self._reach()}{keys}: {columns}{ttl}"

    def label(self) -> tuple[str, str]:
        """With reach and key."""
        return "over", "-".join([self._reach().replace(" ", "-"), *self.keys])

    def detail(self) -> str:
        """Reach and columns."""
        return repr((self._reach(), sorted(self.functions)))

    def calls(self) -> tuple[Call, ...]:
        """`.over(..)`, `.agg(..)`."""
        options: dict[str, Any] = {} if self.rows is None else {"rows": self.rows}
        options |= {} if self.range_ms is None else {"range": Milliseconds(self.range_ms)}
        options |= {} if self.ttl_ms is None else {"ttl": Milliseconds(self.ttl_ms)}
        return Call("over", (), options), Call("agg", columns=self.functions)

    def _reach(self) -> str:
        if self.range_ms is not None:
            return duration(self.range_ms)
        return "the rows" if self.rows is None else f"{self.rows} rows"
