"""Map, FlatMap, FilterRows: row functions on dicts; RowFunctions: adjacent ones fused."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar

from raystream.graph.policies import ErrorPolicy
from raystream.ids import StepName
from raystream.operators.call import Call, Declared, Function
from raystream.operators.fast_path import ROWS_ARE_DICTS, FastPath, missed
from raystream.operators.step import RowFunction, Step, UserCode
from raystream.operators.words import function, function_name

if TYPE_CHECKING:
    from raystream.data.schema import Schema
    from raystream.operators.trial import Tried

_DECLARE_RETURN = "declare it: annotate what the function returns, as in def total(row) -> float"
_DECLARE_COLUMNS = 'declare them: schema={"id": "int", ..}, or annotate the return with a TypedDict'


class _OneFunction(Step):
    """Common base of map, flat_map and filter by a function."""

    __slots__ = ()

    verb: ClassVar[str] = ""
    """The method of the stream."""

    function: RowFunction

    def alone(self) -> Step:
        """As `RowFunctions`, not fused."""
        return RowFunctions((self,))

    def columns_behind(self, inputs: Sequence[Schema]) -> Schema:
        """As `RowFunctions`."""
        return RowFunctions((self,)).columns_behind(inputs)

    def declared(self) -> Schema | None:
        """The columns, if they are known."""
        return None if self.schema is None else _schema(self.schema)

    def user_functions(self) -> tuple[Callable[..., Any], ...]:
        """The function."""
        return (self.function,)

    def given_types(self, name: StepName) -> dict[StepName, Schema]:
        """The columns, if they are known."""
        found = self.declared()
        return {} if found is None else {name: found}

    def words(self) -> str:
        """With the name of the function."""
        return function(self.verb, self.function)

    def label(self) -> tuple[str, str]:
        """With the name of the function."""
        return self.word, function_name(self.function)

    def calls(self) -> tuple[Call, ...]:
        """The function, and the columns if they were declared."""
        options = {} if self.schema is None else {"schema": Declared(self.schema)}
        return (Call(self.verb, (Function(self.function),), options),)


@dataclass(frozen=True, slots=True)
class Map(_OneFunction):
    """dict -> dict, per row.

    Args:
        function: Called with each row.
        schema: Declared output Schema or None (learnt before it runs).
        adds: The function keeps the row and adds only these columns (name -> Polars type, None
            if it is learnt); the plan turns it into `schema`. None: nothing is known.
        errors: Rows for which the function raises, or that do not fit the columns.

    >>> Map(dict).words(), Map(dict).untyped(), Map(dict, {"n": "int"}).untyped()
    ('map dict', True, False)
    """

    word: ClassVar[str] = "map"
    takes_changes: ClassVar[bool] = True
    form: ClassVar[str] = "map"
    verb: ClassVar[str] = "map"

    function: RowFunction
    schema: Any = None
    adds: Mapping[str, Any] | None = None
    errors: ErrorPolicy = ErrorPolicy.FAIL

    def unchanged(self, names: Collection[str]) -> frozenset[str]:
        """The columns that are not replaced, if it only adds columns."""
        return frozenset() if self.adds is None else frozenset(names) - self.adds.keys()

    def resolved(self, inputs: Sequence[Schema]) -> Step:
        """Resolve the columns of a map that adds some."""
        if self.adds is None or inputs[0].open or None in self.adds.values():
            return self
        return self.but(schema=type(inputs[0])({**inputs[0].columns, **self.adds}))

    def untyped(self) -> bool:
        """Whether only a call reveals the columns."""
        return self.schema is None

    def typed(self, found: Schema) -> Step:
        """Set all columns, or those that are added, if they are not declared."""
        if self.adds is not None:
            known = {n: d if d is not None else found.columns.get(n) for n, d in self.adds.items()}
            return self.but(adds=known)
        return self.but(schema=found) if self.schema is None else self

    def given_types(self, name: StepName) -> dict[StepName, Schema]:
        """The columns it returns, or adds."""
        found = self.declared()
        if found is None:
            return {}
        return {name: found if self.adds is None else found.project(self.adds)}

    def tried(self, frame: Any) -> Tried:
        """Row by row."""
        from raystream.operators.rows.trial import tried_rows

        return tried_rows(self, frame, flat=False, only=self.adds)

    def how_to_declare(self) -> str:
        """By schema, or by an annotation."""
        return _DECLARE_COLUMNS if self.adds is None else _DECLARE_RETURN


@dataclass(frozen=True, slots=True)
class FlatMap(_OneFunction):
    """dict -> iterable of dicts, per row.

    >>> FlatMap(list, {"n": "int"}).untyped()
    False
    """

    word: ClassVar[str] = "flat_map"
    form: ClassVar[str] = "flat_map"
    verb: ClassVar[str] = "flat_map"

    function: RowFunction
    schema: Any = None
    errors: ErrorPolicy = ErrorPolicy.FAIL

    def untyped(self) -> bool:
        """Whether only a call reveals the columns."""
        return self.schema is None

    def typed(self, found: Schema) -> Step:
        """Set all columns, if they are not declared."""
        return self.but(schema=found) if self.schema is None else self

    def tried(self, frame: Any) -> Tried:
        """Row by row."""
        from raystream.operators.rows.trial import tried_rows

        return tried_rows(self, frame, flat=True, only=None)

    def how_to_declare(self) -> str:
        """By schema, or by an annotation."""
        return _DECLARE_COLUMNS


@dataclass(frozen=True, slots=True)
class FilterRows(_OneFunction):
    """dict -> bool, per row (the callable form of filter).

    >>> FilterRows(bool).words(), FilterRows(bool).word
    ('filter bool', 'filter_rows')
    """

    word: ClassVar[str] = "filter_rows"
    takes_changes: ClassVar[bool] = True
    form: ClassVar[str] = "filter"
    verb: ClassVar[str] = "filter"

    function: RowFunction
    errors: ErrorPolicy = ErrorPolicy.FAIL

    def unchanged(self, names: Collection[str]) -> frozenset[str]:
        """All."""
        return frozenset(names)


@dataclass(frozen=True, slots=True)
class RowFunctions(Step):
    """Adjacent Map, FlatMap, FilterRows fused by plan/rewrite: rows are converted to dicts once.

    Args:
        functions: In order.
        places: Name and place of each in the user's file, for messages and dead letters; empty
            for a single one, whose name is that of the step.

    >>> RowFunctions((Map(dict), FilterRows(bool))).words()
    'rows: map dict, filter bool'
    """

    word: ClassVar[str] = "row_functions"
    takes_changes: ClassVar[bool] = True
    operator: ClassVar[str] = "raystream.operators.rows.operator:RowFunctions"
    user_code: ClassVar[UserCode] = UserCode.ROWS

    functions: tuple[Any, ...]
    places: tuple[tuple[StepName, str], ...] = ()

    def columns_behind(self, inputs: Sequence[Schema]) -> Schema:
        """Declared columns, those of the input after only filters, or open: not known yet."""
        from raystream.data.schema import Schema

        if all(isinstance(each, FilterRows) for each in self.functions):
            return inputs[0]
        return self.declared() or Schema({}, open=True)

    def declared(self) -> Schema | None:
        """Columns of the last function that is not a filter."""
        maps = [each for each in self.functions if not isinstance(each, FilterRows)]
        return maps[-1].declared() if maps else None

    def gives_dead_letters(self) -> bool:
        """Whether the dead letters of one of the functions are consumed."""
        return any(each.gives_dead_letters() for each in self.functions)

    def fused(
        self, behind: Step, mine: tuple[StepName, str], other: tuple[StepName, str]
    ) -> Step | None:
        """Fuse with the functions of the next step, if it is a function step."""
        if not isinstance(behind, RowFunctions):
            return None
        places = (*(self.places or (mine,)), other)
        return RowFunctions(self.functions + behind.functions, places)

    def given_types(self, name: StepName) -> dict[StepName, Schema]:
        """Those of each function, under the name it was given."""
        names = [each for each, _ in self.places] or [name]
        pairs = zip(names, self.functions, strict=True)
        return {n: s for own, each in pairs for n, s in each.given_types(own).items()}

    def fast_paths(self) -> tuple[FastPath, ...]:
        """Rows are built here, once for all its functions.

        >>> RowFunctions((Map(dict), FilterRows(bool))).fast_paths()[0].what
        '`map` with a Python function (dict), then `filter` (bool): rows are dicts from here'
        """
        first, *others = [
            (each.verb, function_name(each.function) or "lambda") for each in self.functions
        ]
        words = f"`{first[0]}` with a Python function ({first[1]})"
        words += "".join(f", then `{verb}` ({name})" for verb, name in others)
        return missed(f"{words}: {ROWS_ARE_DICTS}")

    def words(self) -> str:
        """With the functions."""
        return "rows: " + ", ".join(each.words() for each in self.functions)


def _schema(declared: Any) -> Schema:
    from raystream.data.schema import Schema

    return Schema.of(declared)
