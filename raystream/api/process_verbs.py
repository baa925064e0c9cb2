"""Verbs that call the user's class for each row of a key, and their side outputs."""

from __future__ import annotations

import typing
from collections.abc import Mapping, Sequence
from typing import Any

from raystream.api.arguments import checked
from raystream.api.origin import at_call, wrong
from raystream.api.output_verbs import OutputVerbs, check_tags
from raystream.api.pipeline import declared
from raystream.api.row_columns import returned
from raystream.api.verb_options import declared_or_annotated, policy_of
from raystream.graph.process import Process as UserProcess
from raystream.operators.process.step import Process


class ProcessVerbs(OutputVerbs):
    """Verbs of a keyed stream that are written by the user."""

    @checked
    def process(
        self,
        process: UserProcess,
        *,
        schema: Any = None,
        side_outputs: Mapping[str, Any] | Sequence[str] = (),
        errors: str = "fail",
        name: str | None = None,
        parallelism: int | None = None,
    ) -> typing.Self:
        """Call an object of your class with each row, with state and timers per key.

        State, timers and emitted rows are exactly once, over restarts and rescales. A row or timer
        that fails changes no state.

        Args:
            process: An object of a subclass of rs.Process. Each subtask has its own copy.
            schema: Columns of the emitted rows; also taken from a return annotation of `on_row`
                such as `Iterator[Order]`. Default: learnt by calling it before the run.
            side_outputs: Tag -> columns of the rows that `ctx.emit(tag, row)` emits; a list of
                tags: rows with the columns of the input. See `tagged`.

        >>> class Gaps(rs.Process):
        ...     last: rs.Value[int] = rs.state(ttl="1h")
        ...     def on_row(self, row, ctx):
        ...         before = self.last.get()
        ...         self.last.set(row["ts"])
        ...         if before is not None:
        ...             yield {"user": ctx.key, "gap": row["ts"] - before}
        >>> rows = [{"user": "a", "ts": 1000}, {"user": "b", "ts": 2000}, {"user": "a", "ts": 5000}]
        >>> clicks = rs.Pipeline("example").read(rs.Rows(rows), event_time="ts")
        >>> clicks.key_by("user").process(Gaps()).collect().to_dicts()
        [{'user': 'a', 'gap': 4000}]
        """
        if not isinstance(process, UserProcess):
            text = f"process takes an object of a subclass of rs.Process, not {process!r}"
            called = isinstance(process, type) and issubclass(process, UserProcess)
            advice = "write class MyProcess(rs.Process): .. and .process(MyProcess())"
            raise wrong(text, f"write {process.__name__}()" if called else advice)
        if not self._key:
            text = "process needs a key: its state is kept per key"
            raise wrong(text, 'write .key_by("user").process(..)')
        inner = typing.get_args(returned(process.on_row))
        columns = declared_or_annotated(schema, inner[0] if inner else None)
        step = Process(process, self._key, columns, _sides(side_outputs), policy_of(errors))
        with at_call():
            step = step.but(states=step.stored())  # types that are none are refused here
        return self._then(step, name, parallelism)


def _sides(outputs: Mapping[str, Any] | Sequence[str]) -> dict[str, Any]:
    if isinstance(outputs, str):
        outputs = [outputs]
    sides = dict(outputs) if isinstance(outputs, Mapping) else dict.fromkeys(outputs)
    check_tags(sides, "a side output")
    return {tag: None if kind is None else declared(kind) for tag, kind in sides.items()}
