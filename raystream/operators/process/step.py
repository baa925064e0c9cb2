"""Process: the user's class called with each row and timer, with state per key."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, ClassVar

from raystream.graph.policies import ErrorPolicy
from raystream.graph.process import Process as UserProcess
from raystream.ids import StepName
from raystream.operators.call import Call, Declared, Instance
from raystream.operators.step import Step, UserCode

if TYPE_CHECKING:
    from raystream.data.schema import Schema
    from raystream.operators.trial import Tried


@dataclass(frozen=True, slots=True)
class Process(Step):
    """A `rs.Process` of the user.

    Args:
        process: The user's.
        keys: Key columns, at least one.
        schema: Declared output Schema or None (learnt before it runs).
        tagged: Columns of each side output; None: those of the input.
        errors: Rows and timers for which it raises, or whose results do not fit the columns.
        types: Of the keys, if known; the owner of a key depends on them.
        states: Its states (process.fields.Stored), read from its annotations where it is written:
            another process may not know the names in them. None: not read yet.

    >>> Process(rs.Process(), ("shop",)).words()
    'process Process by shop'
    """

    word: ClassVar[str] = "process"
    operator: ClassVar[str] = "raystream.operators.process.operator:Process"
    form: ClassVar[str] = "process"
    user_code: ClassVar[UserCode] = UserCode.ROWS
    keeps_state: ClassVar[bool] = True
    keeps_records: ClassVar[bool] = False
    counts_rows: ClassVar[bool] = True

    process: UserProcess
    keys: tuple[str, ...]
    schema: Any = None
    tagged: Mapping[str, Any] = field(default_factory=dict)
    errors: ErrorPolicy = ErrorPolicy.FAIL
    types: Any = None
    states: tuple[Any, ...] | None = None

    def stored(self) -> tuple[Any, ...]:
        """Its states as columns.

        Raises:
            ConfigurationError: one has no type that a column can have.
        """
        from raystream.operators.process.fields import stored_fields

        return tuple(stored_fields(self.process)) if self.states is None else self.states

    def tags(self) -> tuple[str, ...]:
        """The declared side outputs."""
        return tuple(self.tagged)

    def outputs(self, inputs: Sequence[Schema]) -> dict[str, Schema]:
        """With the columns of the side outputs."""
        from raystream.data.schema import Schema
        from raystream.operators.expressions import check_columns

        if not inputs[0].open:
            check_columns(list(self.keys), inputs[0].columns)
        sides = {
            tag: inputs[0] if declared is None else Schema.of(declared)
            for tag, declared in self.tagged.items()
        }
        return {**Step.outputs(self, inputs), **sides}

    def columns_behind(self, inputs: Sequence[Schema]) -> Schema:
        """The declared or learnt columns, or open: not known yet."""
        from raystream.data.schema import Schema

        return self.declared() or Schema({}, open=True)

    def declared(self) -> Schema | None:
        """The columns, if they are known."""
        from raystream.data.schema import Schema

        return None if self.schema is None else Schema.of(self.schema)

    def key(self, inputs: Sequence[Schema]) -> tuple[str, ...]:
        """That of the state."""
        return self.keys

    def routing(self, port: int) -> tuple[str, ...] | None:
        """Rows of one key go to the same subtask."""
        return self.keys

    def width(self, asked: int | None, default: int, inputs: Sequence[int], cap: int | None) -> int:
        """Any parallelism: its rows are repartitioned."""
        return asked or default

    def resolved(self, inputs: Sequence[Schema]) -> Step:
        """Add the types of the keys, and the columns of side outputs."""
        known = inputs[0].columns
        if inputs[0].open or not set(self.keys) <= known.keys():
            return self
        tagged = {tag: inputs[0] if kind is None else kind for tag, kind in self.tagged.items()}
        return self.but(types={name: known[name] for name in self.keys}, tagged=tagged)

    def untyped(self) -> bool:
        """Whether only a call reveals the columns."""
        return self.schema is None

    def typed(self, found: Schema) -> Step:
        """Set all columns, if they are not declared."""
        return self.but(schema=found) if self.schema is None else self

    def tried(self, frame: Any) -> Tried:
        """All rows, then all timers."""
        from raystream.operators.process.trial import tried_process

        return tried_process(self, frame)

    def how_to_declare(self) -> str:
        """By schema, or by an annotation."""
        return (
            'declare them: schema={"id": "int", ..}, or annotate what on_row returns, as in '
            "-> Iterator[Order], with a TypedDict"
        )

    def given_types(self, name: StepName) -> dict[StepName, Schema]:
        """The columns, if they are known."""
        found = self.declared()
        return {} if found is None else {name: found}

    def user_functions(self) -> tuple[Callable[..., Any], ...]:
        """Its methods."""
        return (*self.methods(), self.process.on_timer, self.process.on_clock_timer)

    def methods(self) -> tuple[Callable[..., Any], ...]:
        """Those that are called with rows, by input."""
        return (self.process.on_row,)

    def meaning(self) -> dict[str, Any]:
        """Keys, and the type of each state: states may be added, and the ttl may change."""
        types = {name: str(kind) for name, kind in (self.types or {}).items()}
        states = {f"state {each.state.name}": each.meaning() for each in self.stored()}
        found: dict[str, Any] = {"kind": "Process", "keys": list(self.keys), **states}
        return {**found, "key types": types} if types else found

    def words(self) -> str:
        """With the class and the keys."""
        return f"process {self._name()} by {', '.join(self.keys)}"

    def label(self) -> tuple[str, str]:
        """With the class."""
        return "process", self._name()

    def detail(self) -> str:
        """With the keys."""
        return repr(self.keys)

    def calls(self) -> tuple[Call, ...]:
        """`.process(..)`."""
        options: dict[str, Any] = {}
        if self.schema is not None:
            options["schema"] = Declared(self.schema)
        if self.tagged:
            options["side_outputs"] = {
                tag: None if kind is None else Declared(kind) for tag, kind in self.tagged.items()
            }
        return (Call("process", (Instance(self.process),), options),)

    def _name(self) -> str:
        return type(self.process).__name__
