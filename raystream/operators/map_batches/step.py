"""MapBatches: a frame to a frame, by the user's function."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar

from raystream.graph.policies import ErrorPolicy
from raystream.ids import StepName
from raystream.operators.call import Call, Declared, Function
from raystream.operators.step import Step, UserCode
from raystream.operators.words import function_name

if TYPE_CHECKING:
    from raystream.data.schema import Schema
    from raystream.operators.trial import Tried


@dataclass(frozen=True, slots=True)
class MapBatches(Step):
    """Frame -> frame. `batch_format`: polars | pandas | pyarrow (Ray Data's word).

    >>> MapBatches(len).untyped(), MapBatches(len).label()
    (True, ('map_batches', 'len'))
    """

    word: ClassVar[str] = "map_batches"
    form: ClassVar[str] = "map_batches"
    operator: ClassVar[str] = "raystream.operators.map_batches.operator:MapBatches"
    user_code: ClassVar[UserCode] = UserCode.BATCHES

    function: Callable[[Any], Any]
    batch_format: str = "polars"
    schema: Any = None
    errors: ErrorPolicy = ErrorPolicy.FAIL

    def columns_behind(self, inputs: Sequence[Schema]) -> Schema:
        """The declared columns; open (known at the first output) if none were declared."""
        from raystream.operators.map_batches.columns import output_schema

        return output_schema(self)

    def declared(self) -> Schema | None:
        """The columns, if they are known."""
        from raystream.data.schema import Schema

        return None if self.schema is None else Schema.of(self.schema)

    def untyped(self) -> bool:
        """Whether only a call reveals the columns."""
        return self.schema is None

    def typed(self, found: Schema) -> Step:
        """Set all columns, if they are not declared."""
        return self.but(schema=found) if self.schema is None else self

    def tried(self, frame: Any) -> Tried:
        """With all rows at once."""
        from raystream.operators.map_batches.columns import tried_batch

        return tried_batch(self, frame)

    def user_functions(self) -> tuple[Callable[..., Any], ...]:
        """The function."""
        return (self.function,)

    def given_types(self, name: StepName) -> dict[StepName, Schema]:
        """The columns, if they are known."""
        found = self.declared()
        return {} if found is None else {name: found}

    def how_to_declare(self) -> str:
        """By schema."""
        return 'declare them: schema={"id": "int", ..}'

    def words(self) -> str:
        """In the established format."""
        return "mapbatches"

    def label(self) -> tuple[str, str]:
        """With the name of the function."""
        return self.word, function_name(self.function)

    def calls(self) -> tuple[Call, ...]:
        """`.map_batches(function, ..)`."""
        options: dict[str, Any] = {}
        if self.batch_format != "polars":
            options["batch_format"] = self.batch_format
        if self.schema is not None:
            options["schema"] = Declared(self.schema)
        return (Call("map_batches", (Function(self.function),), options),)
