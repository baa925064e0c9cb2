"""Union: rows of several inputs with equal columns; each input arrives through `process`."""

from __future__ import annotations

from collections.abc import Sequence

from raystream.data.batch import Batch
from raystream.data.schema import Schema
from raystream.errors import ConfigurationError
from raystream.graph import steps
from raystream.operators.operator import Operator


class Union(Operator):
    """Hands rows on; the inputs meet in the engine's gate.

    Columns that only rows tell (behind a function) are compared here, with those that came first.
    """

    def __init__(self, step: steps.Union) -> None:
        self._step = step
        self._first: Schema | None = None

    def process(self, batch: Batch) -> None:
        """Emit the rows.

        Raises:
            ConfigurationError: rows of two inputs have different columns.
        """
        columns = Schema.of_frame(batch.frame.schema)
        if self._first is None:
            self._first = columns
        elif columns.columns != self._first.columns:
            output_schema(self._step, [self._first, columns])
        self.output.emit(batch)


def output_schema(step: steps.Union, inputs: Sequence[Schema]) -> Schema:
    """The columns of the inputs; not null only where it is in all, keyed only if all are alike.

    Raises:
        ConfigurationError: names, order or types differ.
    """
    first = inputs[0]
    for other in inputs[1:]:
        if list(other.columns.items()) != list(first.columns.items()):
            what = f"union of different columns: {_text(first)} and {_text(other)}"
            raise ConfigurationError(what, what_to_do="bring them into one shape with select")
    required = frozenset.intersection(*(schema.required for schema in inputs))
    key = first.key if all(schema.key == first.key for schema in inputs) else ()
    return Schema(first.columns, required, key)


def _text(schema: Schema) -> str:
    return "(" + ", ".join(f"{name} {dtype}" for name, dtype in schema.columns.items()) + ")"
