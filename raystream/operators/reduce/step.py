"""Reduce: each row of a key together with all before it, by a function of two rows."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar

from raystream.graph.policies import ErrorPolicy
from raystream.operators.call import Call, Function, Milliseconds
from raystream.operators.keyed_step import KeyedStep
from raystream.operators.needs import Columns, Needed
from raystream.operators.step import UserCode
from raystream.operators.words import duration, function_name

if TYPE_CHECKING:
    from raystream.data.schema import Schema


@dataclass(frozen=True, slots=True)
class Reduce(KeyedStep):
    """A row for each row: what the function made of it and the one that it made before.

    Args:
        keys: Key columns, at least one.
        function: Called with the row so far and the next one; gives a row with the same columns.
        ttl_ms: A key without a row for so long in event time begins anew; None: never.
        errors: Rows for which it raises, or gives what does not fit the columns.
        columns: Schema of the rows, set by the plan if it is known.

    >>> Reduce(("shop",), max).words()
    'reduce by max of each shop'
    """

    word: ClassVar[str] = "reduce"
    form: ClassVar[str] = "reduce"
    operator: ClassVar[str] = "raystream.operators.reduce.operator:Reduce"
    user_code: ClassVar[UserCode] = UserCode.ROWS
    keeps_state: ClassVar[bool] = True
    keeps_records: ClassVar[bool] = False
    counts_rows: ClassVar[bool] = True

    keys: tuple[str, ...]
    function: Callable[[Any, Any], Any]
    ttl_ms: int | None = None
    errors: ErrorPolicy = ErrorPolicy.FAIL
    columns: Any = None

    def columns_behind(self, inputs: Sequence[Schema]) -> Schema:
        """Those of the rows."""
        from raystream.operators.expressions import check_columns

        check_columns(list(self.keys), inputs[0].columns)
        return inputs[0]

    def needs(self, wanted: Mapping[str, Needed], inputs: Columns) -> list[Needed]:
        """All columns: the function may use any."""
        return [None]

    def user_functions(self) -> tuple[Callable[..., Any], ...]:
        """The function."""
        return (self.function,)

    def meaning(self) -> dict[str, Any]:
        """Keys, and the types of the rows that are kept."""
        found: dict[str, Any] = {"kind": "Reduce", "keys": list(self.keys)}
        if self.columns is not None:
            found["columns"] = {n: str(kind) for n, kind in self.columns.columns.items()}
        return found | self.key_types()

    def words(self) -> str:
        """With function and keys."""
        ttl = "" if self.ttl_ms is None else f", ttl {duration(self.ttl_ms)}"
        return f"reduce by {self._name()} of each {', '.join(self.keys)}{ttl}"

    def label(self) -> tuple[str, str]:
        """With the key."""
        return "reduce", "-".join(self.keys)

    def detail(self) -> str:
        """The function."""
        return self._name()

    def calls(self) -> tuple[Call, ...]:
        """`.reduce(function)`."""
        ttl = {} if self.ttl_ms is None else {"ttl": Milliseconds(self.ttl_ms)}
        return (Call("reduce", (Function(self.function),), ttl),)

    def _name(self) -> str:
        return function_name(self.function) or "lambda"
