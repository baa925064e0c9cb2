"""WindowApply: a frame to a frame, by the user's function, for each key and closed window."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar

from raystream.graph.policies import ErrorPolicy
from raystream.graph.windows import Session, Window
from raystream.operators.call import Call, Declared, Function, Milliseconds
from raystream.operators.keyed_step import KeyedStep
from raystream.operators.needs import Columns, Needed
from raystream.operators.step import UserCode
from raystream.operators.window.words import label_of, window_words
from raystream.operators.words import function_name

if TYPE_CHECKING:
    from raystream.data.schema import Schema


@dataclass(frozen=True, slots=True)
class WindowApply(KeyedStep):
    """Output columns: keys, window_start, window_end, those that the function returns.

    Args:
        keys: Key columns; none: windows of all rows, in one subtask.
        window: The window.
        function: Called with the rows of each closed window, in the order of event time.
        returns: Columns that it returns.
        allowed_lateness_ms: How long after its end a window still accepts rows.
        errors: Policy for windows that the function raises for, and rows that do not fit.
        columns: Schema of the rows, set by the plan if it is known.

    >>> WindowApply(("user",), rs.tumbling("1m"), len, {"n": "int"}).words()
    'len of tumbling 1m by user'
    """

    word: ClassVar[str] = "window_apply"
    form: ClassVar[str] = "window_apply"
    user_code: ClassVar[UserCode] = UserCode.BATCHES
    keeps_state: ClassVar[bool] = True
    keeps_records: ClassVar[bool] = False
    counts_rows: ClassVar[bool] = True
    side_tags: ClassVar[tuple[str, ...]] = ("late",)

    keys: tuple[str, ...]
    window: Window | Session
    function: Callable[[Any], Any]
    returns: Any
    allowed_lateness_ms: int = 0
    errors: ErrorPolicy = ErrorPolicy.FAIL
    columns: Any = None

    @property
    def operator(self) -> str:  # type: ignore[override]
        """By the kind of window."""
        kind = "SessionApply" if isinstance(self.window, Session) else "WindowApply"
        return f"raystream.operators.window_apply.operator:{kind}"

    def columns_behind(self, inputs: Sequence[Schema]) -> Schema:
        """Keys, bounds of the window, what the function returns."""
        from raystream.operators.window_apply.columns import output_schema

        return output_schema(self, inputs[0])

    def returned(self, columns: Schema) -> Schema:
        """Columns that are made of rows with these columns."""
        from raystream.data.schema import Schema

        return Schema.of(self.returns)

    def applied(self) -> Callable[[Any], Any]:
        """The function of the frame of a window."""
        return self.function

    def of_windows(self, rows: Any, window: str) -> Any:
        """The rows of many windows as columns, without the function; None: it is needed.

        Args:
            rows: In the order of their windows, and of event time.
            window: Column with the number of their window.
        """
        return None

    def shares_panes(self) -> bool | None:
        """Whether `fewer` is for panes that windows share; None: it is for no rows at all."""
        return None

    def fewer(self, rows: Any, group: str, watermark: int) -> Any:
        """Rows of open windows from which the same is made; None: there are no fewer.

        Args:
            rows: In the order of event time.
            group: Column with the number of their window, or of their pane.
            watermark: No row of this event time or before is expected.
        """
        return None

    def needs(self, wanted: Mapping[str, Needed], inputs: Columns) -> list[Needed]:
        """All columns: the function may use any."""
        return [None]

    def user_functions(self) -> tuple[Callable[..., Any], ...]:
        """The function."""
        return (self.function,)

    def needs_order(self, asked: Any) -> bool:
        """Rows of one event time are in the order of their partition."""
        return True

    def gives_again(self) -> bool:
        """A late row emits its window again."""
        return bool(self.allowed_lateness_ms)

    def meaning(self) -> dict[str, Any]:
        """Which rows it keeps, with the types of the key: the owner of a key depends on them."""
        found: dict[str, Any] = {"kind": "WindowApply", "keys": list(self.keys)}
        found["window"] = str(self.window)
        return found | self.key_types()

    def words(self) -> str:
        """With function, window and key."""
        return (
            f"{function_name(self.function) or 'lambda'} of {window_words(self.window, self.keys)}"
        )

    def label(self) -> tuple[str, str]:
        """With window and key."""
        return label_of(self.window), "-".join(self.keys)

    def detail(self) -> str:
        """Window and function."""
        return repr((self.window, function_name(self.function)))

    def calls(self) -> tuple[Call, ...]:
        """`.window(..)`, `.apply(..)`."""
        options: dict[str, Any] = {}
        if self.allowed_lateness_ms:
            options["allowed_lateness"] = Milliseconds(self.allowed_lateness_ms)
        apply = {"schema": Declared(self.returns)}
        called = Call("apply", (Function(self.function),), apply)
        return Call("window", (self.window,), options), called
