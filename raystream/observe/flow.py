"""Status of the data flow: steps, chains, their subtasks, the splits of the sources, samples."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True, slots=True)
class SampleStatus:
    """One of the last rows that a step dropped.

    Args:
        kind: Counter it belongs to: late_rows, dlq_rows, future_rows, skipped_rows, filtered_rows,
            duplicate_rows.
        at_ms: When it was taken, epoch ms.
        row: The row as JSON, or the raw record; cut after about 200 characters.
        reason: Why, where a reason is known.
        origin: Where the record came from, where known: `topic requests, partition 3, offset 17`.
    """

    kind: str
    at_ms: int
    row: str
    reason: str = ""
    origin: str = ""


@dataclass(frozen=True, slots=True)
class StepStatus:
    """Counters of one step, summed over its subtasks (names: api-and-yaml.md 4.5).

    Args:
        name: Step name.
        chain: Chain (and so actors) it runs in.
        parallelism: Number of subtasks.
        rows_in: Rows that came into the step (a source has none).
        rows_out: Rows that it emitted or wrote.
        late_rows: Rows behind the watermark, dropped or sent to `.late`.
        dlq_rows: Records that went to the dead letters.
        future_rows: Rows beyond max_future.
        skipped_rows: Records that `errors: skip` dropped.
        filtered_rows: Rows that a filter dropped.
        duplicate_rows: Rows that a dedupe dropped.
        bytes_in: Bytes that came in: payloads read by a source, else memory of the rows.
        bytes_out: Bytes emitted: payloads written by a sink, else memory of the rows.
        verb: read, filter, key_by, window_aggregate, write, ..
        description: What a source or sink is, for people: `kafka topic requests`.
        counters: All counters of the step by name (rows_in, rows_out, late_rows, ..).
        samples: The last few rows that it dropped, newest last.
        unknown_fields: Fields seen in records that no column takes; a lower bound.
        unknown_names: The names of the first of them.
    """

    name: str
    chain: str
    parallelism: int
    rows_in: int = 0
    rows_out: int = 0
    late_rows: int = 0
    dlq_rows: int = 0
    future_rows: int = 0
    counters: Mapping[str, int] = field(default_factory=dict)
    skipped_rows: int = 0
    filtered_rows: int = 0
    bytes_in: int = 0
    bytes_out: int = 0
    verb: str = ""
    description: str = ""
    samples: tuple[SampleStatus, ...] = ()
    unknown_fields: int = 0
    unknown_names: tuple[str, ...] = ()
    duplicate_rows: int = 0

    @property
    def is_source(self) -> bool:
        """Whether it is a source."""
        return bool(self.counters.get("is_source"))

    @property
    def is_sink(self) -> bool:
        """Whether it is a sink."""
        return bool(self.counters.get("is_sink"))


@dataclass(frozen=True, slots=True)
class SubtaskStatus:
    """One subtask of a chain.

    Args:
        index: 0-based.
        busy: Share of the time since the previous report that it worked, 0..1.
        backpressured: Share that it waited for a downstream subtask.
        idle: Share that it had nothing to do.
        sink_wait: Share that it waited for its own sink (part of `backpressured`).
        rows: Rows that came into the chain here, in this attempt.
        watermark_ms: Its watermark, None before the first.
        held_back_by: What holds the watermark back.
        state_bytes: Memory of its state.
        state_disk_bytes: Bytes of its state on local disk.
        node: Node it runs on, if known.
        busy_s: Seconds that it worked in this attempt.
        backpressured_s: Seconds that it waited for a downstream subtask.
        idle_s: Seconds that it had nothing to do.
        watermark_in_ms: Watermark of its input, None before the first.
        timers: Timers that processes have set and that have not fired.
        windows_open: Windows and sessions that hold rows and may still change.
    """

    index: int
    busy: float = 0.0
    backpressured: float = 0.0
    idle: float = 0.0
    sink_wait: float = 0.0
    rows: int = 0
    watermark_ms: int | None = None
    held_back_by: str | None = None
    state_bytes: int = 0
    state_disk_bytes: int = 0
    node: str = ""
    busy_s: float = 0.0
    backpressured_s: float = 0.0
    idle_s: float = 0.0
    watermark_in_ms: int | None = None
    timers: int = 0
    windows_open: int = 0


@dataclass(frozen=True, slots=True)
class ChainStatus:
    """How a chain spends its time and where its watermark is.

    Args:
        name: Name of the chain.
        busy: Share of the time since the previous report that its busiest subtask worked, 0..1.
        backpressured: The same for waiting on credit downstream.
        watermark_ms: Least watermark over its subtasks (epoch ms), None before the first.
        held_back_by: What holds it back: a split or a channel, or None.
        sink_wait: The same for waiting on its own sink.
        skew: Rows of the busiest subtask over their median (1.0: even); None: too few rows.
        state_bytes: Memory of the state of all subtasks.
        state_disk_bytes: Bytes of it on local disk.
        ms_per_row: Milliseconds of work per row since the previous report; None: no row came.
        subtasks: Every subtask, by index.
    """

    name: str
    busy: float = 0.0
    backpressured: float = 0.0
    watermark_ms: int | None = None
    held_back_by: str | None = None
    sink_wait: float = 0.0
    skew: float | None = None
    state_bytes: int = 0
    state_disk_bytes: int = 0
    ms_per_row: float | None = None
    subtasks: tuple[SubtaskStatus, ...] = ()


@dataclass(frozen=True, slots=True)
class SplitStatus:
    """One split of a source: a Kafka partition, a file.

    Args:
        split: Its name: `requests/3`.
        step: The source.
        subtask: Index of the subtask that reads it.
        lag_rows: Rows not read yet, None if the source does not know.
        lag_seconds: Age of the newest row read while there is more to read; 0 at the end; None
            before the first row.
        watermark_ms: Its watermark, epoch ms; None before its first row.
        idle: It has been empty for the idle timeout and does not delay the watermark.
        quiet_seconds: How long it has been read to its end; None: there is more to read.
        holds_back: This split holds back the watermark of the job.
        silent: What does not answer for it (`broker kafka-2:9092`): it is neither at its end nor
            idle; empty: it can be read.
        silent_seconds: For how long.
        paused: It is not read for now: its event time is ahead of its group (`align=`).
        position: Where reading continues, in the source's own format (JSON): `{"offset": 17, ..}`.
        emit_lag_seconds: Age of the newest row when the source handed it on last, by event time;
            None before that.
        native_reader: `on`, or why it is read by Python; empty: no question there.
    """

    split: str
    step: str = ""
    subtask: int = 0
    lag_rows: int | None = None
    lag_seconds: float | None = None
    watermark_ms: int | None = None
    idle: bool = False
    quiet_seconds: float | None = None
    holds_back: bool = False
    position: Any = None
    silent: str = ""
    silent_seconds: float | None = None
    paused: bool = False
    native_reader: str = ""
    emit_lag_seconds: float | None = None


@dataclass(frozen=True, slots=True)
class EdgeStatus:
    """An edge of the graph of chains: rows of `tag` (main, late, errors) go from source to target.

    Args:
        source: Chain that sends.
        target: Chain that receives.
        kind: forward, hash, rebalance, broadcast.
        tag: Which output of the sender.
    """

    source: str
    target: str
    kind: str = "forward"
    tag: str = "main"
