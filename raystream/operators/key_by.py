"""KeyBy: names the key of the rows; computed keys become columns. The exchange is the engine's."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import polars as pl

from raystream.context import SubtaskContext
from raystream.data.batch import HIDDEN, Batch
from raystream.data.inference import infer_type
from raystream.data.keys import canonical, canonical_type
from raystream.data.rows import to_rows
from raystream.data.schema import Schema
from raystream.data.values import all_fit, fits, shown
from raystream.expressions.compiled import Compiled, compiled
from raystream.graph import steps
from raystream.graph.policies import ErrorPolicy
from raystream.operators.base import Operator, Output
from raystream.operators.evaluation import Evaluation
from raystream.operators.expressions import (
    check_columns,
    join_hidden,
    naming,
    split_hidden,
)
from raystream.operators.row_errors import RowErrors, reject_raised
from raystream.operators.user_code import Raised, called

_KEY = f"{HIDDEN}key:"


class KeyBy(Operator):
    """Adds the computed key columns."""

    def __init__(self, step: steps.KeyBy) -> None:
        self._step = step
        self._errors = RowErrors(step.errors)
        self._evaluation: Evaluation | None = None

    def open(self, ctx: SubtaskContext, output: Output) -> None:
        """Open the error policy."""
        super().open(ctx, output)
        self._errors.open(ctx, output)

    def process(self, batch: Batch) -> None:
        """Emit the same rows, with their key."""
        if not self._step.computed:
            self.output.emit(Batch(canonical(batch.frame, self._step.keys)))
            return
        if self._evaluation is None:
            self._evaluation = _evaluation(self._step, batch)
        frame, made = self._called(self._evaluation.of(batch.frame, self._errors))
        if not frame.height:
            return
        user, hidden = split_hidden(frame)
        computed = [name for name in hidden.columns if name.startswith(_KEY)]
        keyed = user.with_columns(hidden[name].alias(name.removeprefix(_KEY)) for name in computed)
        keyed = keyed.with_columns(
            pl.Series(name, values, self._type(name, values)) for name, values in made.items()
        )
        keyed = canonical(join_hidden(keyed, hidden.drop(computed)), self._step.keys)
        self.output.emit(Batch(keyed))

    def _type(self, name: str, values: list[Any]) -> pl.DataType:
        known: pl.DataType | None = self._step.types.get(name)
        return infer_type(values) if known is None else known

    def _misfits(self, made: Mapping[str, list[Any]]) -> dict[int, str]:
        """Numbers of the rows whose keys are not of the type of the column, and why."""
        found: dict[int, str] = {}
        for name, values in made.items():
            dtype = self._type(name, values)
            if not all_fit(values, dtype):
                for index, value in enumerate(values):
                    if value is not None and not fits(value, dtype):
                        found.setdefault(index, f"key {name!r}: {shown(value)} is not {dtype}")
        return found

    def _called(self, frame: pl.DataFrame) -> tuple[pl.DataFrame, dict[str, list[Any]]]:
        """The rows whose functions gave a key, and the keys."""
        functions = {n: how for n, how in self._step.computed.items() if _is_function(how)}
        if not functions:
            return frame, {}
        if not frame.height:
            return frame, {}
        rows, go_on = to_rows(split_hidden(frame)[0]), self._errors.policy is not ErrorPolicy.FAIL
        made: dict[str, list[Any]] = {}
        told: dict[int, Raised] = {}
        for name, function in functions.items():
            values, bad = called(function, rows, go_on=go_on)
            for one in bad:
                values.insert(one.index, None)
                told.setdefault(one.index, one)
            made[name] = values
            if bad and not go_on:
                break
        if told:
            frame = reject_raised(self._errors, frame, told)
            made = _but(made, told)
        misfits = self._misfits(made)
        if misfits:
            reasons = [misfits.get(index) for index in range(frame.height)]
            frame = self._errors.without(frame, pl.Series(reasons, dtype=pl.String()))
            made = _but(made, misfits)
        return frame, made


def output_schema(step: steps.KeyBy, schema: Schema) -> Schema:
    """The columns, keyed; open if a key is computed by a function (known at the first output).

    Raises:
        ConfigurationError: a key is no column.
    """
    existing = [name for name in step.keys if name not in step.computed]
    check_columns(existing, schema.columns)
    functions = [name for name, how in step.computed.items() if _is_function(how)]
    if not set(functions) <= step.types.keys():
        return Schema({}, key=step.keys, open=True)
    made = {name: found.dtype for name, found in _compile(step, schema.columns).items()}
    made |= {name: step.types[name] for name in functions}
    columns = {**schema.columns, **made}
    columns |= {name: canonical_type(columns[name]) for name in step.keys}
    return Schema(columns, schema.required - set(step.computed), step.keys)


def _compile(step: steps.KeyBy, columns: Mapping[str, pl.DataType]) -> dict[str, Compiled]:
    expressions = {n: how for n, how in step.computed.items() if not _is_function(how)}
    with naming("key_by"):
        return {name: compiled(how, columns) for name, how in expressions.items()}


def _evaluation(step: steps.KeyBy, batch: Batch) -> Evaluation:
    """Keys beside the rows, so that functions see the columns as they came in."""
    made = _compile(step, batch.user_frame().schema)
    values = [found.value.alias(_KEY + name) for name, found in made.items()]
    return Evaluation(list(made.values()), lambda frame: frame.with_columns(values))


def _but(made: Mapping[str, list[Any]], left_out: Mapping[int, Any]) -> dict[str, list[Any]]:
    return {n: [v for i, v in enumerate(vs) if i not in left_out] for n, vs in made.items()}


def _is_function(how: object) -> bool:
    return callable(how) and not isinstance(how, pl.Expr)
