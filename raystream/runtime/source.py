"""SourceInput: turns a reader's chunks into batches, watermarks per split, and barriers."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import Future
from dataclasses import replace
from typing import Any

import polars as pl

from raystream.checkpoint.barrier import Barrier
from raystream.connectors.base import (
    Answered,
    Chunk,
    Native,
    Position,
    Rejected,
    Source,
    SourceReader,
    Split,
)
from raystream.connectors.splits import assign, made_since, owned
from raystream.connectors.traits import discovery_interval
from raystream.context import LeftOut, SubtaskContext
from raystream.data.batch import TIME, Batch
from raystream.data.left_out import raw
from raystream.errors import DataError
from raystream.formats.advice import declaration
from raystream.formats.rejects import dead_letters
from raystream.graph.policies import ErrorPolicy
from raystream.ids import SplitId, StepName
from raystream.observe.metrics import REJECTED
from raystream.observe.silence import Silence
from raystream.observe.unknown import UnknownNames
from raystream.operators.operator import Output, Restored, StepState
from raystream.plan.physical import StepSpec
from raystream.runtime.aligned import AlignedReading
from raystream.runtime.element import Element
from raystream.runtime.emit_lag import EmitLag
from raystream.runtime.empty_polls import EmptyPolls
from raystream.runtime.origins import Origins, rejects
from raystream.runtime.pace import BATCH_ROWS
from raystream.runtime.row_order import RowOrder
from raystream.runtime.source_times import Judged, SourceTimes, highest_of
from raystream.runtime.split_reports import reported
from raystream.time.split_watermarks import SplitWatermarks
from raystream.time.watermark import END_OF_TIME, Watermark

POLL_ROWS = 2_000
"""Rows requested per poll: larger lists leave the L2 cache, up to 60 % more CPU (hot-path.md 3).
A reader that knows the native one is asked for a whole batch: it limits itself what becomes lists.
"""

BARREN_ROWS = 64
"""Records requested per poll when earlier polls gave no row and few are wanted."""

BATCH_SECONDS = 0.05
"""A batch is emitted at this age, if it has not reached its size before."""


class SourceInput:
    """The input of a source task.

    Args:
        ctx: Context of the subtask; `ctx.step` is the Read step.
        spec: The Read as planned.
        output: Target of dead letters (tag `errors`).
        splits: All splits of the run, the same in every subtask.
        restored: Headers of all former subtasks, or None when starting without a checkpoint.
        bounded: The run ends at the ends of its splits.
        origins: Numbers the rows, where user functions run in the chain.
    """

    def __init__(
        self,
        ctx: SubtaskContext,
        spec: StepSpec,
        output: Output,
        splits: Sequence[Split],
        restored: Restored | None,
        *,
        bounded: bool,
        origins: Origins | None = None,
    ) -> None:
        assert spec.read is not None
        self._ctx = ctx
        self._step: StepName = spec.name
        self._read = spec.step
        self._options = spec.read
        self._output = output
        self._bounded = bounded
        source: Source = spec.step.source
        self._source = source
        self._may_grow = not bounded and source.grows()
        self._reader: SourceReader = source.reader(ctx, spec.read)
        self._largest_poll = BATCH_ROWS if isinstance(self._reader, Native) else POLL_ROWS
        headers = _of(source, restored)
        self._positions: dict[SplitId, Position] = {}
        self._known: set[SplitId] = {split.id for split in splits}
        self._marks = SplitWatermarks(spec.step.watermark)
        self._times = SourceTimes(spec.step)
        self._marks.restore(_watermarks(headers), _idle(headers))
        self._aligned = AlignedReading(
            spec.step.watermark, self._reader, self._marks, bounded=bounded
        )
        self._order = RowOrder(headers) if spec.read.row_order else None
        self._add(self._starts(splits, headers))
        self._ready: deque[Element] = deque()
        self._origins = origins
        self._frames: list[pl.DataFrame] = []
        self._rows = 0
        self._emit_lag = EmitLag()
        self._unknown = UnknownNames(ctx.count)
        self._most = self._ahead = BATCH_ROWS
        self._barren = 0
        self._since = 0.0
        self._quiet_until: float | None = None
        self._empty = EmptyPolls()
        self._drained = False
        self._ended = False
        self._checkpoints: dict[int, dict[SplitId, Position]] = {}
        self._discovering: Future[list[Split]] | None = None
        self._next_discovery = ctx.clock.now() + discovery_interval(source)

    def _starts(self, splits: Sequence[Split], headers: list[Mapping[str, Any]]) -> list[Split]:
        me = self._ctx
        saved = [header["positions"] for header in headers]
        if saved:
            splits = self._from_the_beginning(splits, headers)
        self._known |= {split for positions in saved for split in positions}
        return assign(splits, saved, me.subtask.index, me.parallelism, bounded=self._bounded)

    def _from_the_beginning(
        self, splits: Sequence[Split], headers: list[Mapping[str, Any]]
    ) -> list[Split]:
        """Read splits that are newer than the checkpoint from their very start."""
        old = {split for header in headers for split in header["positions"]}
        now = self._source.describe()
        same = all(header.get("source") == now for header in headers)
        new = made_since(splits, old, same_source=same)
        if not new:
            return list(splits)
        starts = {split.id: split for split in self._source.discover_new(frozenset(old))}
        return [
            replace(split, start=starts[split.id].start)
            if split.id in starts and split.id in new
            else split
            for split in splits
        ]

    def _add(self, splits: Sequence[Split]) -> None:
        for split in splits:
            self._positions[split.id] = split.start
            self._known.add(split.id)
            self._marks.add(split.id)
            self._reader.add(split)

    # -- Input ---------------------------------------------------------------------------------

    def port(self) -> int:
        """Always 0: a source has only one input."""
        return 0

    def poll(self, most: int = BATCH_ROWS) -> Element | None:
        """The next batch, watermark or barrier; reads at most one chunk.

        A barrier waits for all rows already read, so only as many are read as are processed at
        once.
        """
        self._most = min(most, self._ahead)
        if self._ready:
            return self._ready.popleft()
        if self._ended:
            return None
        self._discover()
        chunk = None
        if not self._drained and self._aligned.may_read():
            chunk = self._reader.poll(self._asked())
        if chunk is not None:
            self._quiet_until = None
            self._empty.came()
            self._collect(chunk)
        else:
            self._nothing_came()
        return self._ready.popleft() if self._ready else None

    def allow(self, rows: int) -> None:
        """Limit the size of batches to what does not delay downstream."""
        self._ahead = rows

    def deadline(self) -> float | None:
        """Time of the next poll: at once after a chunk, after a pause when a poll was empty."""
        if self._ended:
            return None
        return self._ctx.clock.now() if self._quiet_until is None else self._quiet_until

    def trigger(self, barrier: Barrier) -> None:
        """Emit what was collected, then the barrier."""
        self._ctx.point("barrier injected")
        self._flush()
        self._ready.append(barrier)

    def drain(self, *, close_windows: bool) -> None:
        """Stop reading."""
        self._drained = True
        self._end(close_windows=close_windows)

    def hear(self, others: int) -> None:
        """The least event time of the other sources of its group."""
        self._aligned.hear(others)

    def lowest(self) -> int | None:
        """The least event time of its splits."""
        return END_OF_TIME if self._ended else self._aligned.lowest()

    def dry(self) -> bool:
        """Whether everything was emitted."""
        return self._ended and not self._ready

    def snapshot(self, checkpoint: int) -> Mapping[StepName, StepState]:
        """Positions and watermarks per split; small enough for a header."""
        self._checkpoints[checkpoint] = dict(self._positions)
        header = {
            "source": self._source.describe(),
            "positions": dict(self._positions),
            "watermarks": self._marks.header(),
            "idle": self._marks.resting(),
        }
        if self._order is not None:
            header["rows"] = self._order.header()
        return {self._step: StepState(header=header)}

    def committed(self, checkpoint: int) -> None:
        """Publish the offsets of this checkpoint for lag tools."""
        positions = self._checkpoints.pop(checkpoint, None)
        for old in [number for number in self._checkpoints if number < checkpoint]:
            del self._checkpoints[old]
        if positions is not None:
            self._reader.committed(positions)

    def held_back_by(self) -> list[str]:
        """Splits that hold back event time."""
        return list(self._marks.held_back_by())

    def lag(self) -> Mapping[SplitId, int]:
        """Records left to read, per split, where known."""
        return self._reader.lag()

    def splits(self) -> list[dict[str, Any]]:
        """Position and event time of the splits (names: observe.flow.SplitStatus).

        If there are too many, those that hold back event time are reported.
        """
        return reported(
            self._marks.splits(),
            self._positions,
            paused=self._aligned.paused,
            silent=self.silent(),
            native=self._reader.native_state() if isinstance(self._reader, Native) else "",
            emitted=self._emit_lag.seconds,
            clock=self._ctx.clock,
        )

    def silent(self) -> Mapping[SplitId, Silence]:
        """Splits that cannot be read for now, with the peer that does not answer."""
        return self._reader.silent() if isinstance(self._reader, Answered) else {}

    def origin(self, places: Sequence[int]) -> str:
        """Origin of rows of the current batch; empty: not known."""
        return "" if self._origins is None else self._origins.told(places)

    def align_seconds(self) -> float:
        """Always 0: a source does not align."""
        return 0.0

    def close(self) -> None:
        """Close the reader."""
        self._reader.close()

    # -- reading -------------------------------------------------------------------------------

    def _collect(self, chunk: Chunk) -> None:
        if chunk.bytes:
            self._ctx.count("bytes_in", chunk.bytes)
        if chunk.unknown:
            self._unknown.count(chunk.unknown)
        if chunk.rejected:
            self._reject(chunk.rejected)
        frame, runs = self._timed(chunk)
        if self._order is not None:
            frame = self._order.placed(
                frame, [(split, last - first) for split, first, last, _ in runs]
            )
        latest = highest_of(frame.get_column(TIME), runs)
        for split, highest in latest.items():
            self._marks.observe(split, highest)
        self._emit_lag.collected(latest)
        for split, _, _, position in runs:
            self._positions[split] = position
        if frame.height:
            self._since = self._since if self._frames else self._ctx.clock.now()
            self._frames.append(frame)
            self._rows += frame.height
        self._barren = 0 if frame.height else min(BARREN_ROWS, 2 * self._asked())
        if self._rows >= self._most or self._aged():
            self._flush()

    def _asked(self) -> int:
        """Records for the next poll: more if all are dropped, which does not delay downstream."""
        rest = max(self._most - self._rows, min(self._most, POLL_ROWS))  # no tiny last poll
        return min(self._largest_poll, max(rest, self._barren))

    def _timed(self, chunk: Chunk) -> tuple[pl.DataFrame, list[tuple[SplitId, int, int, Position]]]:
        limit = self._marks.limit(self._ctx.clock.wall_ms())
        judged = self._times.of(chunk.frame, limit)
        if judged.future is None:
            runs = [(run.split, run.first, run.last, run.position) for run in chunk.runs]
            return self._numbered(judged.frame, chunk, None), runs
        self._leave_out(chunk, judged, limit)
        keep = judged.keep()
        before = [0, *keep.cast(pl.Int64).cum_sum().to_list()]
        runs = [
            (run.split, before[run.first], before[run.last], run.position) for run in chunk.runs
        ]
        return self._numbered(judged.frame.filter(keep), chunk, keep), runs

    def _numbered(self, frame: pl.DataFrame, chunk: Chunk, kept: pl.Series | None) -> pl.DataFrame:
        return frame if self._origins is None else self._origins.numbered(frame, chunk, kept)

    def _leave_out(self, chunk: Chunk, judged: Judged, limit: int | None) -> None:
        """Apply the error policy to rows without a time.

        Rows beyond max_future go to the dead letters, if any; they never stop the job.
        """
        assert judged.future is not None
        unusable = judged.unusable()
        if unusable:
            told = zip(rejects(chunk, unusable, ""), unusable, strict=True)
            self._reject([replace(each, reason=judged.reason(row)) for each, row in told])
        future: list[int] = judged.future.arg_true().to_list()
        if not future:
            return
        self._ctx.count("future_rows", len(future))
        reason = f"event time is later than the wall clock by more than max_future ({limit})"
        reason += judged.looks_like(future[0])
        self._sample("future_rows", lambda: rejects(chunk, future[:3], reason))
        if self._output.consumed("errors"):
            self._dead(rejects(chunk, future, reason))
        else:
            self._ctx.count(REJECTED, len(future))

    def _nothing_came(self) -> None:
        now = self._ctx.clock.now()
        if self._frames and self._aged():
            self._flush()
            return
        if not self._frames:
            self._speak()
        if not self._may_grow and self._reader.finished():
            self._end(close_windows=True)
            return
        self._quiet_until = now + self._empty.pause(now)

    def _aged(self) -> bool:
        return bool(self._frames) and self._ctx.clock.now() - self._since >= BATCH_SECONDS

    def _flush(self) -> None:
        if self._frames:
            one = len(self._frames) == 1
            frame = self._frames[0] if one else pl.concat(self._frames, rechunk=True)
            self._ready.append(Batch(frame))
            self._emit_lag.emitted(self._ctx.clock.wall_ms())
            self._frames = []
            self._rows = 0
            if self._origins is not None:
                self._origins.flushed()
        self._speak()

    def _speak(self) -> None:
        if self._drained:
            return
        caught_up = self._aligned.caught_up(self._positions)
        news = self._marks.tick(self._ctx.clock.now(), caught_up)
        if news is not None:
            self._ready.append(news)

    def _end(self, *, close_windows: bool) -> None:
        if self._ended:
            return
        self._flush()
        self._ended = True
        if close_windows:
            self._ready.append(Watermark(END_OF_TIME))

    # -- records that do not fit ---------------------------------------------------------------

    def _reject(self, rejected: Sequence[Rejected]) -> None:
        policy = self._read.errors
        if policy is ErrorPolicy.FAIL:
            first = rejected[0]
            wider = declaration(first.reason)
            way = f"declare {wider}, in schema= of read" if wider else "correct the producer"
            advice = f"{way}, or read with errors='dlq' or errors='skip'"
            raise DataError(first.reason, first.origin, advice)
        if policy is ErrorPolicy.SKIP:
            self._ctx.count("skipped_rows", len(rejected))
            self._ctx.count(REJECTED, len(rejected))
            self._sample("skipped_rows", lambda: rejected)
        else:
            self._dead(rejected)

    def _dead(self, rejected: Sequence[Rejected]) -> None:
        self._ctx.count("dlq_rows", len(rejected))
        self._ctx.count(REJECTED, len(rejected))
        self._sample("dlq_rows", lambda: rejected)
        self._output.emit(Batch(dead_letters(rejected)), "errors")

    def _sample(self, kind: str, rejected: Callable[[], Sequence[Rejected]]) -> None:
        self._ctx.sample(
            kind, lambda: (LeftOut(raw(r.value), r.reason, r.origin) for r in rejected())
        )

    # -- new splits ----------------------------------------------------------------------------

    def _discover(self) -> None:
        if not self._may_grow or self._drained:
            return
        now = self._ctx.clock.now()
        if self._discovering is None:
            if now >= self._next_discovery:
                known = frozenset(self._known)
                self._discovering = self._ctx.background.submit(self._source.discover_new, known)
        elif self._discovering.done():
            future, self._discovering = self._discovering, None
            self._next_discovery = now + discovery_interval(self._source)
            self._take_new(future)

    def _take_new(self, future: Future[list[Split]]) -> None:
        if future.exception() is not None:
            self._ctx.count("discovery_errors", 1)
            return
        me = self._ctx
        fresh = [split for split in future.result() if split.id not in self._known]
        self._known |= {split.id for split in fresh}
        self._add(owned(fresh, me.subtask.index, me.parallelism))


def _of(source: Source, restored: Restored | None) -> list[Mapping[str, Any]]:
    """Headers without splits that are no longer read, as plan.restore has allowed."""
    headers = [state.header for state in restored.states] if restored else []

    def kept(header: Mapping[str, Any], what: str) -> dict[SplitId, Any]:
        of = header.get("source", "")
        told = header.get(what, {}).items()
        return {split: value for split, value in told if source.covers(split, of)}

    return [
        {
            **header,
            "positions": kept(header, "positions"),
            "watermarks": kept(header, "watermarks"),
        }
        for header in headers
    ]


def _watermarks(headers: Sequence[Mapping[str, Any]]) -> dict[SplitId, int]:
    merged: dict[SplitId, int] = {}
    for header in headers:
        merged.update(header.get("watermarks", {}))
    return merged


def _idle(headers: Sequence[Mapping[str, Any]]) -> set[SplitId]:
    """Idle splits; older checkpoints do not record them."""
    return {split for header in headers for split in header.get("idle", ())}
