"""KeyBy: set the key of the rows; computed keys become columns. The engine does the exchange."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import polars as pl

from raystream.data.batch import HIDDEN, Batch
from raystream.data.beyond_python import beyond_python
from raystream.data.keys import canonical
from raystream.data.rows import fit_values, to_rows
from raystream.graph.policies import ErrorPolicy
from raystream.operators.changing.pairs import paired, settled
from raystream.operators.evaluated import Evaluated
from raystream.operators.evaluation import Evaluation
from raystream.operators.expressions import (
    join_hidden,
    split_hidden,
)
from raystream.operators.key_by.columns import compiled_keys
from raystream.operators.key_by.step import KeyBy as Step
from raystream.operators.row_errors import reject_raised
from raystream.operators.user_code import Raised, called, untyped

_KEY = f"{HIDDEN}key:"


class KeyBy(Evaluated):
    """Adds the computed key columns."""

    def __init__(self, step: Step) -> None:
        super().__init__(step.errors)
        self._step = step

    def process(self, batch: Batch, port: int = 0) -> None:
        """Emit the same rows, with their key."""
        keys = self._step.keys
        if not self._step.computed:
            self.output.emit(Batch(settled(canonical(paired(batch.frame), keys), keys)))
            return
        frame, made = self._called(self._evaluated(Batch(paired(batch.frame))))
        if not frame.height:
            return
        user, hidden = split_hidden(frame)
        computed = [name for name in hidden.columns if name.startswith(_KEY)]
        keyed = user.with_columns(hidden[name].alias(name.removeprefix(_KEY)) for name in computed)
        keyed = join_hidden(keyed.with_columns(made), hidden.drop(computed))
        self.output.emit(Batch(settled(canonical(keyed, keys), keys)))

    def _compiled(self, batch: Batch) -> Evaluation:
        """Compute keys beside the rows, so that functions see the input columns."""
        made = compiled_keys(self._step, batch.user_frame().schema)
        values = [found.value.alias(_KEY + name) for name, found in made.items()]
        return Evaluation(list(made.values()), lambda frame: frame.with_columns(values))

    def _called(self, frame: pl.DataFrame) -> tuple[pl.DataFrame, list[pl.Series]]:
        """The rows whose functions returned a key, and the keys."""
        functions = self._step.key_functions()
        if not functions or not frame.height:
            return frame, []
        if not functions.keys() <= self._step.types.keys():
            raise untyped(self.ctx.step, self.ctx.origin)
        reasons = beyond_python(frame)
        if reasons is not None:
            frame = self._errors.without(frame, reasons)
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
        return self._fitted(frame, made)

    def _fitted(
        self, frame: pl.DataFrame, made: Mapping[str, list[Any]]
    ) -> tuple[pl.DataFrame, list[pl.Series]]:
        """The rows whose keys fit the types of their columns; the policy handles the others."""
        types = self._step.types
        fitted = {name: fit_values(name, made[name], types[name]) for name in made}
        if all(column is not None for column, _ in fitted.values()):
            return frame, [column for column, _ in fitted.values() if column is not None]
        told: dict[int, str] = {}
        for name, (_, bad) in fitted.items():
            told = {index: f"key {name!r}: {why}" for index, why in bad.items()} | told
        reasons = [told.get(index) for index in range(frame.height)]
        frame = self._errors.without(frame, pl.Series(reasons, dtype=pl.String()))
        return self._fitted(frame, _but(made, told))


def _but(made: Mapping[str, list[Any]], left_out: Mapping[int, Any]) -> dict[str, list[Any]]:
    return {n: [v for i, v in enumerate(vs) if i not in left_out] for n, vs in made.items()}
