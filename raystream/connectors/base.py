"""Sources and sinks as the engine sees them (a small version of FLIP-27 and FLIP-143)."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import Future
from dataclasses import dataclass, field, replace
from typing import Any, Protocol, runtime_checkable

import polars as pl

from raystream.checkpoint.records import Committable
from raystream.checkpoint.verdicts import AbortVerdict as AbortVerdict  # noqa: PLC0414 - re-export
from raystream.checkpoint.verdicts import Problem as Problem  # noqa: PLC0414 - re-export
from raystream.checkpoint.verdicts import Verdict as Verdict  # noqa: PLC0414 - re-export
from raystream.context import SubtaskContext
from raystream.data.changes import ReadChanges
from raystream.data.schema import Schema
from raystream.ids import SplitId, StepName
from raystream.observe.safety import TransactionStatus
from raystream.observe.silence import Silence

Position = Any
"""JSON value that only the source's own code reads: where to continue in a split."""


@dataclass(frozen=True, slots=True)
class Split:
    """A part of a source read in order; `end` (exclusive) only in a bounded run.

    `needs_position`: what, where and advice of the error for a start without a saved position.
    """

    id: SplitId
    start: Position
    end: Position | None = None
    needs_position: tuple[str, str, str] | None = field(default=None, compare=False, repr=False)


@dataclass(frozen=True, slots=True)
class Run:
    """Rows [first, last) of a chunk's frame come from `split`; `position` is where to continue.

    A run may be empty (first == last): then only the position moved.
    """

    split: SplitId
    first: int
    last: int
    position: Position


@dataclass(frozen=True, slots=True)
class Rejected:
    """A record that did not decode or fit.

    Args:
        split: Where it came from.
        origin: For people: `topic requests, partition 3, offset 17`.
        headers: Origin in parts, for the dead-letter output: topic, partition, offset...
        key: Message key, if any.
        value: The raw record, if any.
        reason: Why.
        timestamp: Record timestamp, epoch ms.
    """

    split: SplitId
    origin: str
    headers: Mapping[str, str]
    key: bytes | None
    value: bytes | None
    reason: str
    timestamp: int | None = None
    record_headers: tuple[tuple[str, bytes | None], ...] = ()


@dataclass(frozen=True, slots=True)
class Chunk:
    """Result of one poll: decoded rows, their runs in frame order, and the rejected records.

    The frame holds the user columns, and `record_time` (Int64 epoch ms, named data.batch.TIME)
    when the job reads event time from the record timestamp, and data.batch.MESSAGE_KEY on demand.
    `bytes` is the size of the payloads, or an estimate; 0: not known.
    `reject(rows, reason)` makes the Rejected of rows of this frame, on demand (a record that
    decoded but whose event time cannot be); None: the source cannot say where a row came from.
    `unknown`: fields of the records that no column takes, and how often they were seen.
    """

    frame: pl.DataFrame
    runs: tuple[Run, ...]
    rejected: tuple[Rejected, ...] = ()
    reject: Callable[[Sequence[int], str], tuple[Rejected, ...]] | None = None
    bytes: int = 0
    unknown: Mapping[str, int] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class ReadOptions:
    """What the plan needs from a reader.

    Args:
        schema: Columns to decode (already pushed down).
        event_time: How event time is computed (a column, if it has that name), or None: fill
            data.batch.TIME from the record.
        message_key: Carry the record's key in data.batch.MESSAGE_KEY.
        metadata: Requested metadata columns: key, timestamp, headers, topic, partition, offset.
        row_order: The engine adds data.batch.ORDER from the runs of each chunk.
        record: All columns of a record, in order, needed or not: CSV counts its fields, and JSON
            reports fields that no column takes.
        changes: How records change rows: then each row has its RowKind in data.changes.CHANGE, a
            null there if it changes nothing. None: rows are only added.
        key: Columns that identify a row that is changed.
    """

    schema: Schema
    event_time: str | None = None
    message_key: bool = False
    metadata: tuple[str, ...] = ()
    row_order: bool = False
    record: Mapping[str, pl.DataType] = field(default_factory=dict)
    changes: ReadChanges | None = None
    key: tuple[str, ...] = ()


class SourceReader(Protocol):
    """Reads the splits of one subtask. Called by one thread; `poll` never blocks."""

    def add(self, split: Split) -> None:
        """Start reading this split at `split.start`."""
        ...

    def poll(self, max_rows: int) -> Chunk | None:
        """Up to max_rows rows, or None if nothing is ready.

        Raises:
            RaystreamError: the source is permanently broken (topic re-created, offset gone).
        """
        ...

    def caught_up(self, split: SplitId) -> bool:
        """True if the split was read to its current end and nothing waits (then it may be idle)."""
        ...

    def finished(self) -> bool:
        """True if every split has an end and was read to it."""
        ...

    def committed(self, positions: Mapping[SplitId, Position]) -> None:
        """Publish positions of a committed checkpoint, for lag tools."""
        ...

    def lag(self) -> Mapping[SplitId, int]:
        """Records between the position and the current end, per split, if known."""
        ...

    def close(self) -> None:
        """Release everything; called at most once."""
        ...


@runtime_checkable
class Answered(Protocol):
    """A SourceReader that knows whether its brokers or servers answer."""

    def silent(self) -> Mapping[SplitId, Silence]:
        """Splits that cannot be read for now, and what does not answer; no network."""
        ...


@runtime_checkable
class Native(Protocol):
    """A SourceReader that knows the native reader."""

    def native_state(self) -> str:
        """`on`, or why it reads by Python."""
        ...


@runtime_checkable
class Pausable(Protocol):
    """A SourceReader that can stop reading some of its splits, and read on later."""

    def pause(self, splits: frozenset[SplitId]) -> None:
        """Read nothing of these splits until the next call; of all others again."""
        ...


@runtime_checkable
class Source(Protocol):
    """A source as the user wrote it: a value, cheap to pickle, no network until it is used."""

    def discover(self, *, bounded: bool) -> list[Split]:
        """All splits with resolved starts; with ends as of now if bounded. Blocking, network."""
        ...

    def discover_new(self, known: frozenset[SplitId]) -> list[Split]:
        """Splits that are not in `known`, from their very beginning. Blocking, network."""
        ...

    def grows(self) -> bool:
        """Whether an unbounded run may find more splits: a reader without splits waits."""
        ...

    def covers(self, split: SplitId, of: str) -> bool:
        """Whether a split of an older run is still one of this source (its topic is read).

        Args:
            split: Its id.
            of: Description of the source that had it; empty: not known.
        """
        ...

    def reader(self, ctx: SubtaskContext, options: ReadOptions) -> SourceReader:
        """A reader for one subtask."""
        ...

    def learn(self) -> Schema | None:
        """Schema from the first records, or None while there are none. Blocking, network."""
        ...

    def describe(self) -> str:
        """For people: `kafka topic requests`."""
        ...

    def max_parallelism(self) -> int | None:
        """How many subtasks can have work (partitions, files), or None. Blocking, network."""
        ...


@dataclass(frozen=True, slots=True)
class WriteOptions:
    """What the plan needs from a writer.

    Args:
        schema: User columns of the rows; `schema.key` are the key columns (empty: none).
        message_key: No key columns, but data.batch.MESSAGE_KEY is in the frames: pass it through.
        guarantee: exactly_once | at_least_once | none.
        upserts: Rows have a RowKind in data.changes.CHANGE: an UPDATE_AFTER sets the row of its
            key, a DELETE removes it.
    """

    schema: Schema
    message_key: bool = False
    guarantee: str = "exactly_once"
    upserts: bool = False

    def told_by(self, columns: Schema) -> WriteOptions:
        """The same with columns that only the rows reveal; other keys are omitted.

        A row function may have dropped a key column.
        """
        key = tuple(name for name in self.schema.key if name in columns.columns)
        return replace(self, schema=columns.with_key(key))


class SinkWriter(Protocol):
    """Writes the rows of one sink subtask. Called by one thread; nothing here blocks long."""

    def write(self, frame: pl.DataFrame) -> None:
        """Take these rows (user columns, plus hidden ones)."""
        ...

    def has_room(self) -> bool:
        """False while the writer can take no more rows (back-pressure)."""
        ...

    def prepare(self, checkpoint: int, *, final: bool) -> Future[Committable | None]:
        """Pre-commit what was written since the last call; None: nothing was written.

        Rows written after this call belong to the next checkpoint. After the future's result is
        a committable it is never aborted by this writer, not even by close().
        """
        ...

    def committed(self, checkpoint: int) -> None:
        """Phase two of this checkpoint is done."""
        ...

    def poll(self, now: float) -> float | None:
        """Serve callbacks; raises background errors; returns when to be called again."""
        ...

    def oldest_transaction_age_s(self) -> float:
        """Seconds since before the first record of the open transaction; 0 if none is open."""
        ...

    def close(self) -> None:
        """Release everything that no durable manifest can name."""
        ...


@runtime_checkable
class Transactional(Protocol):
    """A SinkWriter that can name its transactions."""

    def transactions(self) -> Sequence[TransactionStatus]:
        """Those that hold rows and are not committed. Called by the writer's thread."""
        ...


@runtime_checkable
class WaitedFor(Protocol):
    """A SinkWriter that knows whether the systems it writes to answer."""

    def silent(self) -> Sequence[Silence]:
        """Systems that do not answer it. Called by the writer's thread."""
        ...


class Committer(Protocol):
    """Phase two of one sink step; lives with the coordinator; blocking, one request per call."""

    def check(self, committables: Sequence[Committable]) -> list[Problem]:
        """Step 5: every transaction still open, same identity, young enough."""
        ...

    def commit(self, committables: Sequence[Committable]) -> list[Verdict]:
        """One try for each, in order; AGAIN means repeat."""
        ...

    def abort(self, committables: Sequence[Committable]) -> list[AbortVerdict]:
        """Abort by handle, only for rollback."""
        ...

    def abort_strays(self, before_attempt: int) -> int:
        """Abort what attempts < before_attempt left open; returns how many remain (0: clean)."""
        ...

    def close(self) -> None:
        """Release connections."""
        ...


@dataclass(frozen=True, slots=True)
class CommitterContext:
    """Context of a committer: the job, its storage id, the name of the sink step."""

    job: str
    store_id: str
    step: StepName
    attempt: int


@runtime_checkable
class Sink(Protocol):
    """A sink as the user wrote it: a value, cheap to build and to pickle, no network until used."""

    def check(self, job: str, store_id: str, step: StepName) -> list[str]:
        """At start: broker limits, ACLs, foreign stray transactions. Returns warnings."""
        ...

    def writer(self, ctx: SubtaskContext, options: WriteOptions) -> SinkWriter:
        """A writer for one subtask."""
        ...

    def committer(self, ctx: CommitterContext) -> Committer | None:
        """Phase two, or None if this sink needs none."""
        ...

    def describe(self) -> str:
        """For people: `kafka topic counts`."""
        ...


@dataclass(frozen=True, slots=True)
class DeadLetters:
    """A value for `errors` outputs: the columns of a dead-letter row (see formats.rejects)."""

    columns: tuple[str, ...] = field(
        default=("key", "value", "reason", "origin", "headers", "timestamp", "record_headers")
    )
