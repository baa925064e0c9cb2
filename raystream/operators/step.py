"""Step: the interface of a verb for the plan, `explain`, names, a restore and the runtime.

Callers never check the type of a step: every property is a member here, with a default. A verb is
a frozen dataclass below this class, in its own folder, whose operator is imported only where it
runs.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Collection, Mapping, Sequence
from enum import StrEnum
from typing import TYPE_CHECKING, Any, ClassVar, Self, cast

from raystream.errors import ConfigurationError
from raystream.graph.policies import ErrorPolicy, WatermarkStrategy
from raystream.ids import StepName
from raystream.operators.call import OTHER_STREAMS, Call, Made
from raystream.operators.fast_path import ROWS_ARE_DICTS, FastPath, missed, taken
from raystream.operators.needs import Needed

if TYPE_CHECKING:
    from raystream.data.changes import Changes, ChangesMode, ReadChanges
    from raystream.data.schema import Schema
    from raystream.operators.trial import Tried

Expression = Any
"""SQL text (str) or a Polars expression (pl.Expr)."""

RowFunction = Callable[[dict[str, Any]], Any]


class Inputs(StrEnum):
    """Number of streams that a step reads."""

    NONE = "none"
    ONE = "one"
    MANY = "many"


class UserCode(StrEnum):
    """How a step calls code of the user, whose duration is unknown."""

    NONE = "none"
    ROWS = "rows"
    BATCHES = "batches"


class Step:
    """A verb with its options; subclasses override the members that differ from the default.

    Attributes:
        word: The verb, in snake case: in the status, in names, in the registry.
        form: Name of its own form in pipeline files (config/step_forms.py); empty: its fields are
            the options below its word.
        inputs: Number of streams it reads.
        operator: `module:Class` that runs, imported in the subtask; empty: the engine itself.
        user_code: What the user's functions are called with; ask `code()`.
        keeps_state: Its state is in checkpoints under its name, and closes with event time.
        keeps_records: Every output row is an input row, with its record's metadata.
        only_looks: It passes the rows of its input; left out where functions are only tried.
        counts_rows: A row that is emitted again to replace itself would be counted twice.
        takes_new_aggregates: Its state ends, so that one which counts no earlier rows may be added.
        calls_cost: A call has a cost of its own, as for tables that are searched: small batches are
            gathered for it.
        is_local: It prepares an exchange, without state: it may run beside other steps that read
            the same rows.
        takes_changes: Its rows may change earlier ones (data.changes); else that is refused.
        loads: Inputs whose rows go to every subtask, all of them before rows of the other inputs.
        source: What it reads from (a connectors.base.Source), for a step without input.
        changed: How records of the source change rows; None: rows are only added.
        sink: What it writes to (a connectors.base.Sink), for a step without output.
        written: How it writes rows that change earlier ones; None: it takes no such rows.
        schema: Declared or learnt output columns, or None.
        event_time: How event time is computed from here on, or None; with its unit, time zone
            and watermark.
        errors: Policy for rows that cannot be computed; None: there are none.
    """

    __slots__ = ()

    word: ClassVar[str] = ""
    form: ClassVar[str] = ""
    inputs: ClassVar[Inputs] = Inputs.ONE
    operator: ClassVar[str] = ""
    user_code: ClassVar[UserCode] = UserCode.NONE
    keeps_state: ClassVar[bool] = False
    keeps_records: ClassVar[bool] = True
    only_looks: ClassVar[bool] = False
    counts_rows: ClassVar[bool] = False
    takes_new_aggregates: ClassVar[bool] = True
    calls_cost: ClassVar[bool] = False
    is_local: ClassVar[bool] = False
    takes_changes: ClassVar[bool] = False
    side_tags: ClassVar[tuple[str, ...]] = ()
    loads: ClassVar[tuple[int, ...]] = ()

    source: Any = None
    changed: ReadChanges | None = None
    sink: Any = None
    written: ChangesMode | None = None
    schema: Any = None
    event_time: Any = None
    event_time_unit: str = "ms"
    time_zone: str | None = None
    watermark: WatermarkStrategy = WatermarkStrategy()
    errors: ErrorPolicy | None = None

    def but(self, **changes: Any) -> Self:
        """Copy of the step with other options."""
        return cast("Self", dataclasses.replace(cast("Any", self), **changes))

    # -- columns: asked by plan/schemas ------------------------------------------------------

    def outputs(self, inputs: Sequence[Schema]) -> dict[str, Schema]:
        """Columns of every output by tag: `main`, then those of `tags()`, then `errors`.

        Args:
            inputs: Columns of its inputs, in order; open if only rows reveal them.

        Raises:
            ConfigurationError: the step does not fit the columns; without `where`.
        """
        from raystream.formats.rejects import DEAD_LETTER_SCHEMA

        found = {"main": self._main(inputs), **dict.fromkeys(self.tags(), inputs[0])}
        if self.errors is not None:
            found["errors"] = DEAD_LETTER_SCHEMA
        return found

    def _main(self, inputs: Sequence[Schema]) -> Schema:
        """The key is kept if its columns are; open columns are those that only rows reveal."""
        changes = self.changes(inputs)
        return self._columns(inputs).with_changes(changes)

    def _columns(self, inputs: Sequence[Schema]) -> Schema:
        from raystream.data.schema import Schema

        step, key = self.resolved(inputs), self.key(inputs)
        known = not any(schema.open for schema in inputs)
        found = step.columns_behind(inputs) if known else step.declared()
        if found is None or found.open:
            return Schema({}, open=True).with_key(key)
        return found.with_key(key if set(key) <= set(found.columns) else ())

    def columns_behind(self, inputs: Sequence[Schema]) -> Schema:
        """Columns of `main`, if those of all inputs are known.

        Raises:
            ConfigurationError: as `outputs`.
        """
        return inputs[0]

    def tags(self) -> tuple[str, ...]:
        """Its side outputs, without `errors`."""
        return self.side_tags

    def declared(self) -> Schema | None:
        """Output columns that do not depend on the inputs, or None."""
        return None

    def key(self, inputs: Sequence[Schema]) -> tuple[str, ...]:
        """The key of its rows, before checking that its columns still exist."""
        return inputs[0].key

    def unchanged(self, names: Collection[str]) -> frozenset[str]:
        """The given input columns that its rows keep unchanged."""
        return frozenset()

    def changes(self, inputs: Sequence[Schema]) -> Changes | None:
        """How its rows change earlier ones; None: they are only added.

        By default as the rows of its input: what identifies a row still does if all these columns
        are kept.

        Raises:
            ConfigurationError: a row of an input changes others, which the step does not take.
        """
        found = next((schema.changes for schema in inputs if schema.changes is not None), None)
        if found is not None and not self.takes_changes:
            raise self._takes_no_changes()
        if found is None or found.by is None:
            return found
        new = {old: name for name, old in self.copies(found.by).items()}
        kept = set(found.by) <= new.keys()
        return type(found)(tuple(new[name] for name in found.by) if kept else None)

    def _takes_no_changes(self) -> ConfigurationError:
        what = f"{self.word} takes rows that are only added; these rows change earlier ones"
        advice = (
            "rows of an aggregate without a window change as more rows come: put this step in front"
            " of it, give it a .window(..), or write the rows with changes='upsert' or 'log' and"
            " read these"
        )
        return ConfigurationError(what, what_to_do=advice)

    # -- push-down: asked by plan/columns, plan/row_order, plan/message_keys --------------------

    def copies(self, names: Collection[str]) -> Mapping[str, str]:
        """Output column -> the given input column whose values it has, maybe under another name."""
        return {name: name for name in self.unchanged(names)}

    def needs(
        self, wanted: Mapping[str, Needed], inputs: Sequence[Collection[str]]
    ) -> list[Needed]:
        """Columns that it needs of each input; None: all of them.

        Args:
            wanted: By tag, the columns needed of its outputs.
            inputs: Names of the columns of each input, as far as known.
        """
        return [None] * len(inputs)

    def learnt(self, found: Schema) -> Schema:
        """Columns of the rows of a source step, from those of its records."""
        return found

    def own_needs(self, columns: Schema) -> frozenset[str]:
        """Columns of a record that a source step itself needs."""
        return frozenset()

    def needs_order(self, asked: Collection[str]) -> bool:
        """Whether rows must carry their place in the input to this step.

        Args:
            asked: Tags of its outputs whose rows must carry it.
        """
        return "main" in asked

    def gives_dead_letters(self) -> bool:
        """Whether its dead letters are consumed."""
        return self.errors is ErrorPolicy.DLQ

    # -- what runs: asked by plan/rewrite and plan/chains ----------------------------------------

    def routing(self, port: int) -> tuple[str, ...] | None:
        """Columns by which rows of an input are partitioned; None: no repartitioning."""
        return None

    def broadcasts(self) -> tuple[int, ...]:
        """Inputs whose rows go to every subtask."""
        return self.loads

    def width(self, asked: int | None, default: int, inputs: Sequence[int], cap: int | None) -> int:
        """Number of subtasks.

        Args:
            asked: What the user set.
            default: Used if nothing is set.
            inputs: Of each input.
            cap: How many can have work, if the source knows.
        """
        return asked or max(inputs)

    def resolved(self, inputs: Sequence[Schema]) -> Step:
        """The step completed with what only its input reveals."""
        return self

    def alone(self) -> Step:
        """The step that runs if it is not split."""
        return self

    def expand(self, inputs: Sequence[Schema], asked: Collection[str]) -> tuple[Step, ...]:
        """The steps that run instead: the last after the exchange, the others before it.

        Args:
            inputs: Columns of its inputs.
            asked: Tags of its outputs that are consumed.

        Returns:
            Empty if rows may pass unchanged.
        """
        return (self.resolved(inputs).alone(),)

    def fused(
        self, behind: Step, mine: tuple[StepName, str], other: tuple[StepName, str]
    ) -> Step | None:
        """Fuse this step and the next one, or None.

        Args:
            behind: The next step, its only reader.
            mine: Name and place of this step.
            other: Name and place of the other.
        """
        return None

    # -- what its function gives: asked by plan/learning ------------------------------------

    def untyped(self) -> bool:
        """Whether only a call of the user's function, or a record, reveals the columns."""
        return False

    def typed(self, found: Schema) -> Step:
        """The step with learnt types, if they are not declared."""
        return self

    def tried(self, frame: Any) -> Tried:
        """Call its functions with the user's columns of some rows.

        Raises:
            RaystreamError: a function raised.
        """
        raise NotImplementedError(self.word)

    def before_functions(self) -> Step | None:
        """A step for what it computes without the user's functions; None: nothing."""
        return None

    def user_functions(self) -> tuple[Callable[..., Any], ...]:
        """The user's functions, unwrapped."""
        return ()

    def code(self) -> UserCode:
        """What the user's functions are called with; their cost is not known before a run."""
        of_rows = self.user_code is UserCode.NONE and bool(self.user_functions())
        return UserCode.ROWS if of_rows else self.user_code

    def how_to_declare(self) -> str:
        """Advice on declaring types."""
        return ""

    # -- checkpoints: asked by plan/restore --------------------------------------------------

    def meaning(self) -> dict[str, Any]:
        """Meaning of its state, as JSON, for people and for comparison: kept in checkpoints."""
        return {"kind": type(self).__name__}

    def given_types(self, name: StepName) -> dict[StepName, Schema]:
        """Return types of functions, declared or learnt, in the form of `typed`."""
        return {}

    # -- rows: asked by plan/finality and runtime/first_rows ------------------------------------

    def gives_again(self) -> bool:
        """Whether a later row may replace one that was emitted."""
        return False

    def told_by_rows(self) -> bool:
        """Whether the columns of one batch show if it fits."""
        return True

    # -- speed: asked by plan/fast_paths -------------------------------------------------------

    def fast_paths(self) -> tuple[FastPath, ...]:
        """Ways to be fast that it takes or misses, for people."""
        if self.user_code is UserCode.ROWS:
            return missed(f"`{self.word}` with Python for each row: {ROWS_ARE_DICTS}")
        if self.user_code is UserCode.BATCHES:
            return taken(f"`{self.word}` with a function of columns")
        return ()

    # -- words: asked by explain, names, the picture, explain --as python ----------------------

    def words(self) -> str:
        """What it does, in a few words."""
        return self.word

    def label(self) -> tuple[str, str]:
        """Verb and content, for an automatic name."""
        return self.word, ""

    def detail(self) -> str:
        """Distinguishes twins with the same label; names and so checkpoints depend on it."""
        return ""

    def calls(self) -> tuple[Call, ...]:
        """The calls of Python's API that make this step."""
        return (Call("step", (Made(self), OTHER_STREAMS)),)
