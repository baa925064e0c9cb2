"""TableOperator: base of operators whose state is tables; the engine keeps these, once for all.

An operator declares its tables and uses them. Snapshots, restores, redistribution by the hash of
the key, checks of restored types and sizes are here.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from itertools import islice
from typing import Any, ClassVar, Generic, TypeVar

import polars as pl

from raystream.context import SubtaskContext
from raystream.data.segment import Segment
from raystream.errors import ConfigurationError
from raystream.ids import HIDDEN
from raystream.operators.operator import Operator, Output, Restored, StepState
from raystream.state.redistribute import owned
from raystream.state.sorted_runs import OWN, SortedRuns

Types = Mapping[str, pl.DataType]

T = TypeVar("T", bound=SortedRuns)

TABLES = "tables"
"""Key in the header of a step: table -> its number of segments, and its horizon."""


class StateTable(Generic[T]):
    """One table of an operator, in one subtask.

    If its types are not known when the job is deployed, it is created with the first rows.

    Args:
        name: Letters and digits; part of the names of segments.
        keys: Key columns by which the rows of its input are partitioned.
        make: Creates it: `make(schema=.., prefix=..)`, usually a partial of its class.
        types: Of all columns, if known.
        upgrade: Converts rows of older checkpoints to the present form.
    """

    def __init__(
        self,
        name: str,
        keys: Sequence[str],
        make: Callable[..., T],
        types: Types | None = None,
        upgrade: Callable[[pl.DataFrame], pl.DataFrame] | None = None,
    ) -> None:
        self.name = name
        self.keys = list(keys)
        self.table: T | None = None
        self._named: T | None = None
        self._names: list[str] = []
        self._kinds: list[pl.DataType] = []
        self._make, self._types, self._upgrade = make, types, upgrade
        self._horizon: int | None = None
        self._ctx: SubtaskContext

    def open(self, ctx: SubtaskContext) -> None:
        """Create the table, if its types are known."""
        self._ctx = ctx
        if self._types is not None:
            self._create(self._types)

    def of(self, types: Types) -> T:
        """The table for rows of these types.

        Raises:
            ConfigurationError: it holds rows of other types.
        """
        if self.table is None:
            return self._create(types)
        for name, kind in self.table.schema.items():
            if types.get(name) != kind:
                raise self._other(name, kind, types.get(name))
        return self.table

    def fitted(self, frame: pl.DataFrame, *, older: bool = False) -> tuple[T, pl.DataFrame]:
        """The table, and rows with its types; it becomes wider for wider integers.

        Args:
            frame: The rows.
            older: They are of a checkpoint, the table of this run.

        Raises:
            ConfigurationError: it holds rows of other types.
        """
        if self.table is not None and self._is_of(self.table, frame):
            return self.table, frame
        own = [name for name in frame.columns if name in OWN]
        types = {name: kind for name, kind in frame.schema.items() if name not in OWN}
        table = self._create(types) if self.table is None else self.table
        if list(types.items()) == list(table.schema.items()):
            return table, frame
        for name in dict.fromkeys([*table.schema, *types]):
            was, now = table.schema.get(name), types.get(name)
            if was is None or now is None or not _alike(was, now):
                raise self._other(name, *((now, was) if older else (was, now)))
        wide = {name: _wider(kind, types[name]) for name, kind in table.schema.items()}
        if wide != table.schema:
            table = self._widened(table, wide)
        return table, frame.select(*(pl.col(n).cast(kind) for n, kind in wide.items()), *own)

    def _is_of(self, table: T, frame: pl.DataFrame) -> bool:
        """Whether the rows have just its columns; cheap, as batches are often small."""
        if table is not self._named:
            self._named, self._names = table, list(table.schema)
            self._kinds = list(table.schema.values())
        return frame.columns == self._names and frame.dtypes == self._kinds

    def forget(self, horizon: int) -> None:
        """Drop rows of smaller times (SortedRuns.forget), in a later table too."""
        self._horizon = horizon if self._horizon is None else max(horizon, self._horizon)
        if self.table is not None:
            self.table.forget(self._horizon)

    @property
    def horizon(self) -> int | None:
        """Smaller times are forgotten; None: none are."""
        return self._horizon if self.table is None else self.table.horizon

    def restore(self, segments: Iterable[Segment], *, redistribute: bool) -> None:
        """Add the rows of segments, or those of them that this subtask owns."""
        me = self._ctx
        for segment in segments:
            frame = segment.frame if self._upgrade is None else self._upgrade(segment.frame)
            table, frame = self.fitted(frame, older=True)
            disk = segment.disk if frame is segment.frame else 0
            if redistribute:
                mine = owned(frame, self.keys, me.subtask.index, me.parallelism)
                table.restore([Segment(segment.id, mine)], same_hash=False)
            else:
                table.restore([Segment(segment.id, frame, disk)])

    def snapshot(self) -> tuple[Segment, ...]:
        """All rows as immutable segments."""
        return () if self.table is None else self.table.snapshot()

    def _create(self, types: Types) -> T:
        self.table = self._make(schema=types, prefix=f"{self._ctx.attempt}-{self.name}")
        if self._horizon is not None:
            self.table.forget(self._horizon)
        self._ctx.bound(self.table)
        return self.table

    def _widened(self, table: T, types: Types) -> T:
        """The same rows in wider integers, which have the same hash."""
        segments = table.snapshot()
        wide = self._create(types)
        casts = [pl.col(name).cast(kind) for name, kind in types.items()]
        wide.restore([Segment(s.id, s.frame.with_columns(casts)) for s in segments])
        return wide

    def _other(
        self, name: str, was: pl.DataType | None, now: pl.DataType | None
    ) -> ConfigurationError:
        """Rows of another type would belong to other owners, or be other values."""
        name = name.rpartition(":")[2] if name.startswith(HIDDEN) else name
        if was is None:
            text = f"the kept rows ({self.name}) have no column {name!r}, which is used now"
        elif now is None:
            text = f"the kept rows ({self.name}) have a column {name!r}, which no row has now"
        else:
            text = f"the kept rows ({self.name}) have {name!r} of type {was}, which is {now} now"
        advice = (
            "make it the same again, or give the step another name and run once with "
            "--allow-non-restored-state"
        )
        return ConfigurationError(text, self._ctx.origin, advice)


def _alike(was: pl.DataType, now: pl.DataType) -> bool:
    return was == now or (was.is_integer() and now.is_integer())


def _wider(was: pl.DataType, now: pl.DataType) -> pl.DataType:
    """The integer type that holds both.

    >>> _wider(pl.Int8(), pl.Int32()), _wider(pl.Int64(), pl.UInt64())
    (Int32, Int128)
    """
    if was == now:
        return was
    both = pl.concat(
        [pl.Series(dtype=was).to_frame(), pl.Series(dtype=now).to_frame()], how="vertical_relaxed"
    ).dtypes[0]
    return both if both.is_integer() else pl.Int128()


class TableOperator(Operator):
    """An operator whose state is tables; subclasses pass them to `__init__`.

    Override `header` and `resume` for a little state beside the tables, such as the watermark:
    raystream/operators/dedupe/operator.py is a short example.
    """

    only_table: ClassVar[str] = ""
    """Table of the segments in checkpoints older than the names of tables."""

    def __init__(self, *tables: StateTable[Any]) -> None:
        self._tables = {table.name: table for table in tables}

    def open(self, ctx: SubtaskContext, output: Output) -> None:
        """Create the tables whose types are known."""
        super().open(ctx, output)
        for table in self._tables.values():
            table.open(ctx)

    def header(self) -> Mapping[str, Any]:
        """State beside the tables, as JSON."""
        return {}

    def resume(self, headers: Sequence[Mapping[str, Any]]) -> None:
        """Restore it, after the tables, from those of all old subtasks that are restored."""

    def restore(self, restored: Restored) -> None:
        """Restore the rows whose keys this subtask owns."""
        for state in restored.states:
            segments = iter(state.segments)
            older = {self.only_table: (None, None)} if self.only_table else {}
            for name, (count, horizon) in state.header.get(TABLES, older).items():
                table = self._tables[name]
                table.restore(islice(segments, count), redistribute=restored.redistribute)
                if horizon is not None:
                    table.forget(horizon)
        self.resume([state.header for state in restored.states])

    def snapshot(self, checkpoint: int, *, final: bool) -> StepState | None:
        """All tables."""
        found = {name: table.snapshot() for name, table in self._tables.items()}
        tables = {name: [len(found[name]), self._tables[name].horizon] for name in found}
        segments = [segment for each in found.values() for segment in each]
        return StepState(segments, {**self.header(), TABLES: tables})

    def gauges(self) -> Mapping[str, float]:
        """Bytes of the tables in memory and on disk."""
        tables = [each.table for each in self._tables.values() if each.table is not None]
        return {
            "state_bytes": sum(table.memory_bytes() for table in tables),
            "state_disk_bytes": sum(table.disk_bytes() for table in tables),
        }


class PiecewiseOperator(TableOperator):
    """Emits its output in pieces: a generator gives one each time it is resumed."""

    _work: Iterator[None] | None = None

    def has_more(self) -> bool:
        """Whether not all of the output is emitted."""
        return self._work is not None

    def proceed(self) -> None:
        """Emit the next piece."""
        if self._work is not None and next(self._work, self) is self:
            self._work = None

    def _start(self, work: Iterator[None]) -> None:
        """Emit the first piece; downstream takes each before the next is made."""
        self._work = work
        self.proceed()

    def _drain(self) -> None:
        """The step before emitted two batches at once: pending output is of the earlier state."""
        while self._work is not None:
            self.proceed()
