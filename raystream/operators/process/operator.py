"""Process: calls the user's class row by row; its state travels in columns."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from copy import copy, deepcopy
from typing import Any

import polars as pl

from raystream.context import SubtaskContext
from raystream.data.batch import TIME, Batch
from raystream.data.beyond_python import beyond_python
from raystream.data.keys import canonical
from raystream.data.rows import to_rows
from raystream.data.schema import Schema
from raystream.errors import ConfigurationError, RaystreamError
from raystream.graph.policies import ErrorPolicy
from raystream.graph.process import Process as UserProcess
from raystream.operators.expressions import check_columns, split_hidden
from raystream.operators.final_rows import final_rows
from raystream.operators.function_time import in_functions
from raystream.operators.operator import Output, Restored
from raystream.operators.process.columns import StateColumns
from raystream.operators.process.context import ProcessContext
from raystream.operators.process.firing import Firing, apply_timers, timer_rows
from raystream.operators.process.results import MAIN, NoRow, Results, rows_of
from raystream.operators.process.scope import Op, Scope
from raystream.operators.process.step import Process as Step
from raystream.operators.process.tables import AT, TimerTable, numbered
from raystream.operators.row_errors import BadRow, RowErrors, bad_rows
from raystream.operators.tables import StateTable, TableOperator
from raystream.operators.user_code import defined_at, raised, untyped, user_code
from raystream.time.watermark import END_OF_TIME, Idle, Watermark

PIECE_S = 0.1
"""Seconds of timers at once, as of rows (runtime/pace.py)."""

NOT_ITS_OWN = (RaystreamError, KeyboardInterrupt, GeneratorExit)

Method = Callable[[Any, ProcessContext], Any]


class Process(TableOperator):
    """One Process of the user in one subtask.

    Rows are processed in the order of their arrival; a failed row leaves no trace in the states.
    Timers of event time fire when the watermark reaches them and before it is forwarded. Early
    rows of a window are dropped, as they are not final.
    """

    def __init__(self, step: Step) -> None:
        self._step, self._keys = step, list(step.keys)
        self._errors = RowErrors(step.errors)
        self._scope = Scope(undoes=step.errors is not ErrorPolicy.FAIL)
        scope, types = self._scope, step.types
        own = [field for field in step.stored() if not field.is_broadcast]
        self._states = [StateColumns(field, self._keys, types, scope) for field in own]
        self._timers = TimerTable("timers", self._keys, step.types)
        self._clock_timers = TimerTable("clocktimers", self._keys, step.types)
        self._context = ProcessContext(self._scope, step.tagged)
        self._user: UserProcess | None = None
        self._firing: Firing | None = None
        self._fires_clock = False
        self._next_clock: int | None = None
        self._ops: dict[tuple[int, int], bool] = {}
        self._clock_ops: dict[tuple[int, int], bool] = {}
        tables = [table for state in self._states for table in state.tables()]
        super().__init__(*tables, self._timers, self._clock_timers, *self.further_tables())

    def further_tables(self) -> Sequence[StateTable[Any]]:
        """Tables of a subclass."""
        return ()

    def open(self, ctx: SubtaskContext, output: Output) -> None:
        """Give a copy of the user's object its states, and open it."""
        super().open(ctx, output)
        self._errors.open(ctx, output)
        user = _own_copy(self._step.process)
        self._bind(user)
        self._method_at = defined_at(self._step.methods()[0])
        self._results = Results(_schemas(self._step), self._errors, self._method_at)
        with user_code(user.open):
            user.open()
        self._user = user

    def _bind(self, user: UserProcess) -> None:
        for state in self._states:
            state.bind(user)

    def close(self) -> None:
        """Close the user's object."""
        user, self._user = self._user, None
        if user is not None:
            with user_code(user.close):
                user.close()

    def gauges(self) -> Mapping[str, float]:
        """Also the timers that are set."""
        tables = [each.table for each in (self._timers, self._clock_timers)]
        timers = sum(table.count() for table in tables if table is not None)
        return {**super().gauges(), "timers": timers}

    # -- rows ------------------------------------------------------------------------------------

    def process(self, batch: Batch, port: int = 0) -> None:
        """Call `on_row` for each row."""
        assert self._user is not None
        check_columns(self._keys, batch.frame.schema)
        frame = self._readable(batch)
        keys = canonical(frame.select(self._keys), self._keys)
        self._each(frame, keys, self._user.on_row)

    def _readable(self, batch: Batch) -> pl.DataFrame:
        """The final rows that Python can hold."""
        frame = final_rows(batch.frame)
        reasons = beyond_python(frame)
        return frame if reasons is None else self._errors.without(frame, reasons)

    def _each(self, frame: pl.DataFrame, keys: pl.DataFrame, method: Method) -> None:
        """Call a method for each row; `keys` are those of the rows."""
        if not frame.height:
            return
        numbers, keys = numbered(keys, self._keys)
        self._begin(keys)
        with in_functions():
            failed = self._rows(frame, numbers, method)
        self._finish(keys)
        if failed:
            self._errors.reject(failed)
        self._emit()

    def _rows(self, frame: pl.DataFrame, numbers: Sequence[int], method: Method) -> list[BadRow]:
        """The rows that failed."""
        scope, failed = self._scope, list[BadRow]()
        times = frame[TIME].to_list()
        for index, row in enumerate(to_rows(split_hidden(frame)[0])):
            scope.enter(numbers[index], times[index])
            bad = self._called(method, row)
            if bad is not None:
                failed.append(self._told(bad, bad_rows(frame[[index]], [bad.reason])[0]))
        return failed

    def _called(self, method: Method, argument: Any) -> BadRow | None:
        """Call a method, and timers that it set behind the watermark; why it failed, or None."""
        scope = self._scope
        try:
            made = [(rows_of(method(argument, self._context)), scope.time)]
            if scope.timers:
                made += self._overdue()
            if scope.undoes:
                self._check(made)
        except NOT_ITS_OWN:
            raise
        except BaseException as error:  # noqa: BLE001 - whatever the user's code raises
            bad = self._bad(method, error)
            scope.undo()
            return bad
        for rows, time in made:
            if rows:
                self._results.add(MAIN, rows, time)
        for tag, row, time in scope.sides:
            self._results.add(tag, [row], time)
        if scope.timers or scope.clock_timers:
            self._ask_timers()
        scope.keep()
        return None

    def _check(self, made: Sequence[tuple[list[dict[str, Any]], int]]) -> None:
        for rows, _ in made:
            self._results.check(MAIN, rows)
        for tag, row, _ in self._scope.sides:
            self._results.check(tag, [row])

    def _overdue(self) -> list[tuple[list[dict[str, Any]], int]]:
        """Fire at once the timers of a row that are behind the watermark, by time."""
        scope, made = self._scope, []
        if scope.fires is not None or scope.watermark is None:
            return []
        assert self._user is not None
        time = scope.time
        while (at := self._next_overdue(scope.watermark)) is not None:
            scope.enter(scope.key, at, fires=at)
            made.append((rows_of(self._user.on_timer(at, self._context)), at))
        scope.enter(scope.key, time)
        return made

    def _next_overdue(self, watermark: int) -> int | None:
        """The earliest timer behind the watermark, which is no longer asked for."""
        asked = self._scope.timers
        last = {at: on for _, at, on in asked}
        first = min((at for at, on in last.items() if on and at <= watermark), default=None)
        asked[:] = [op for op in asked if op[1] != first]
        return first

    def _ask_timers(self) -> None:
        """Take over what a row or timer asked for."""
        scope = self._scope
        for key, at, on in scope.timers:
            self._ops[key, at] = on
        for key, at, on in scope.clock_timers:
            self._clock_ops[key, at] = on

    # -- errors ----------------------------------------------------------------------------------

    def _bad(self, method: Method, error: BaseException) -> BadRow:
        if isinstance(error, NoRow):
            return BadRow({}, str(error), where=defined_at(method))
        told = raised(method, error)
        return BadRow({}, told.reason, cause=told.cause, where=told.where)

    def _told(self, bad: BadRow, record: BadRow) -> BadRow:
        """With what is known of the row; with the policy `fail` it is raised at once."""
        found = BadRow(
            record.row,
            bad.reason,
            bad.cause,
            bad.where,
            time=record.time,
            key=record.key,
            place=record.place,
        )
        if self._errors.policy is ErrorPolicy.FAIL:
            self._errors.reject([found])
        return found

    # -- timers ----------------------------------------------------------------------------------

    def on_watermark(self, watermark: Watermark | Idle) -> None:
        """Fire the timers that are due."""
        if isinstance(watermark, Idle):
            return
        ended = watermark.time == END_OF_TIME
        self._scope.ended = ended
        until = None if ended else watermark.time
        due = self._timers.due(until)
        self._arrived = until
        if due is not None:
            self._firing, self._fires_clock = Firing(self._timers, due, until), False
            self.proceed()
        else:
            self._reached()

    def _reached(self) -> None:
        """All timers up to the watermark have fired."""
        if self._arrived is not None:
            self._scope.watermark = self._arrived
        self._forget()

    def _forget(self) -> None:
        for state in self._states:
            state.forget(self._scope.watermark, self.ctx.clock.wall_ms())

    def deadline(self) -> float | None:
        """When the next timer of the clock is due."""
        if self._next_clock is None or self._firing is not None:
            return None
        return self.ctx.clock.now() + (self._next_clock - self.ctx.clock.wall_ms()) / 1000

    def on_time(self, now: float) -> None:
        """Fire the timers of the clock that are due."""
        wall = self.ctx.clock.wall_ms()
        if self._firing is not None or self._next_clock is None or wall < self._next_clock:
            return
        due = self._clock_timers.due(wall)
        self._look_at_clock_timers()
        if due is not None:
            self._firing, self._fires_clock = Firing(self._clock_timers, due, wall), True
            self.proceed()

    def _look_at_clock_timers(self) -> None:
        table = self._clock_timers.table
        self._next_clock = None if table is None else table.next_time()

    def has_more(self) -> bool:
        """Whether timers are due."""
        return self._firing is not None

    def proceed(self) -> None:
        """Fire the next of them."""
        firing = self._firing
        assert firing is not None
        piece, failed = firing.take(), list[BadRow]()
        self._begin(piece.keys)
        clock, began = self.ctx.clock, self.ctx.clock.now()
        piece.run(
            lambda key, at: self._fired(key, at, failed),
            lambda: clock.now() - began > PIECE_S,
        )
        self._finish(piece.keys)
        if failed:
            self._errors.reject(failed)
        self._emit()
        if not firing:
            self._firing = None
            self._look_at_clock_timers()
            if not self._fires_clock:
                self._reached()

    def _fired(self, key: int, at: int, failed: list[BadRow]) -> Sequence[Op]:
        """Fire one; gives the timers of its kind that it set."""
        assert self._user is not None
        scope, clock = self._scope, self._fires_clock
        if clock:
            known = scope.watermark
            scope.enter(key, at if known is None else max(at, known + 1))
            scope.clock_fires = at
            scope.now = scope.time if known is None else known
            bad = self._called(self._user.on_clock_timer, at)
        else:
            scope.enter(key, at, fires=at)
            bad = self._called(self._user.on_timer, at)
        if bad is not None:
            record = BadRow({**self._key_of(key), "timer": at}, "", time=at)
            failed.append(self._told(bad, record))
        asked = self._clock_ops if clock else self._ops
        ops = [(number, time, on) for (number, time), on in asked.items()]
        asked.clear()
        return ops

    def _key_of(self, number: int) -> dict[str, Any]:
        return self._under_way.row(number, named=True)

    # -- batches ---------------------------------------------------------------------------------

    def _begin(self, keys: pl.DataFrame) -> None:
        self._under_way = keys
        self._scope.wall = self.ctx.clock.wall_ms()
        rows = keys.rows()
        self._context.keys = [row[0] for row in rows] if len(self._keys) == 1 else list(rows)
        for state in self._states:
            state.begin(keys)

    def _finish(self, keys: pl.DataFrame) -> None:
        """Write states and timers."""
        for state in self._states:
            state.finish()
        self._scope.key = -1
        if self._ops:
            apply_timers(self._timers, timer_rows(_ops(self._ops), keys))
            self._ops.clear()
        if self._clock_ops:
            self._set_clock_timers(keys)

    def _set_clock_timers(self, keys: pl.DataFrame) -> None:
        """Those behind the clock fire next."""
        rows, table = timer_rows(_ops(self._clock_ops), keys), self._clock_timers
        self._clock_ops.clear()
        if table.horizon is not None:
            rows = rows.with_columns(pl.col(AT).clip(lower_bound=table.horizon))
            rows = rows.unique([*self._keys, AT], keep="last", maintain_order=True)
        apply_timers(table, rows)
        self._look_at_clock_timers()

    def _emit(self) -> None:
        results = self._results.rows
        if MAIN in results and self._step.schema is None:
            raise untyped(self.ctx.step, self.ctx.origin)
        if results:
            self._results.emit(self.output)

    # -- checkpoints -----------------------------------------------------------------------------

    def header(self) -> Mapping[str, Any]:
        """The watermark."""
        known = self._scope.watermark
        return {} if known is None else {"watermark": known}

    def restore(self, restored: Restored) -> None:
        """Restore states and timers.

        Raises:
            ConfigurationError: a state is gone from the class, or has another type.
        """
        for state in restored.states:
            self._check_present(state.header.get("tables", {}))
        super().restore(restored)
        for table in (self._timers, self._clock_timers):
            table.settle()
        for each in self._states:
            each.settle()
        self._look_at_clock_timers()

    def _check_present(self, tables: Mapping[str, Any]) -> None:
        """Nothing that was kept is lost without a word."""
        gone = [name for name, (count, _) in tables.items() if count and name not in self._tables]
        if gone:
            kind = type(self._step.process).__name__
            state = gone[0].removeprefix("state_")
            what = f"the checkpoint holds state {state!r}, which {kind} no longer has"
            advice = (
                f"keep it in {kind}, or give the step another name and run once with "
                "--allow-non-restored-state"
            )
            raise ConfigurationError(what, self.ctx.origin, advice)

    def resume(self, headers: Sequence[Mapping[str, Any]]) -> None:
        """The least watermark of the old subtasks."""
        known = [header.get("watermark") for header in headers]
        least = [time for time in known if time is not None]
        if least and len(least) == len(known):
            self._scope.watermark = min(least)


def _ops(asked: Mapping[tuple[int, int], bool]) -> list[Op]:
    return [(key, at, on) for (key, at), on in asked.items()]


def _schemas(step: Step) -> dict[str, Schema]:
    declared = step.declared()
    sides = {tag: Schema.of(kind) for tag, kind in step.tagged.items() if kind is not None}
    return sides if declared is None or declared.open else {MAIN: declared, **sides}


def _own_copy(process: UserProcess) -> UserProcess:
    """An object of this subtask; what cannot be copied is shared."""
    try:
        return deepcopy(process)
    except Exception:  # noqa: BLE001 - locks, clients: the user's own kinds of objects
        return copy(process)
