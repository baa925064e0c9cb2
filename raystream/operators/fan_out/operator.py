"""FanOut: calls the operator of each part with the same rows."""

from __future__ import annotations

import importlib
from dataclasses import replace

from raystream.context import SubtaskContext
from raystream.data.batch import Batch
from raystream.operators.fan_out.parts import FanOut as Step
from raystream.operators.fan_out.parts import Part
from raystream.operators.operator import Operator, Output
from raystream.operators.side_outputs import dead_letters_of


class FanOut(Operator):
    """Stateless, as its parts."""

    def __init__(self, step: Step) -> None:
        self._step = step
        self._parts = [(part, _operator(part)) for part in step.parts]

    def open(self, ctx: SubtaskContext, output: Output) -> None:
        """Open the parts, each with its own name and line."""
        super().open(ctx, output)
        for part, operator in self._parts:
            own = replace(ctx, step=part.name, origin=part.where)
            operator.open(own, _Tagged(ctx, output, part.name))

    def process(self, batch: Batch, port: int = 0) -> None:
        """Emit what each part makes of the rows, and the rows if they are read, too."""
        for _, operator in self._parts:
            operator.process(batch)
        if self._step.passes:
            self.output.emit(batch)


class _Tagged:
    """The output of a part: its rows are a side output of the whole."""

    def __init__(self, ctx: SubtaskContext, output: Output, name: str) -> None:
        self._ctx, self._output, self._name = ctx, output, name

    def emit(self, batch: Batch, tag: str = "") -> None:
        """Give rows, or dead letters, the tag of the part."""
        if not tag:
            self._ctx.count("rows_out", len(batch))
        self._output.emit(batch, dead_letters_of(self._name) if tag else self._name)

    def consumed(self, tag: str) -> bool:
        """Whether dead letters of the part are consumed."""
        return self._output.consumed(dead_letters_of(self._name))


def _operator(part: Part) -> Operator:
    module, _, name = part.step.operator.partition(":")
    made: Operator = getattr(importlib.import_module(module), name)(part.step)
    return made
