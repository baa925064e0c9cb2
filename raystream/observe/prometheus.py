"""Metrics of jobs in Prometheus' text format, from their status documents.

Names follow Flink's vocabulary in base units; labels job, step, chain, subtask, split, topic and
partition.
Source: https://prometheus.io/docs/instrumenting/exposition_formats/
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import islice
from typing import TypeGuard

from raystream.observe.histogram import HistogramStatus
from raystream.observe.status import SplitStatus, StatusDocument

CONTENT_TYPE = "text/plain; version=0.0.4; charset=utf-8"
PREFIX = "raystream_"
MOST_SUBTASKS = 500
"""Subtasks of a job with series of their own, and as many steps."""

MOST_SINKS = 20
"""Sinks of a job with a histogram, which has some 60 series."""

MOST_SPLITS = 200
"""Splits of a job with series of their own; the rest count in the sums only."""

_STATES = ("recovering", "deploying", "running", "stopping", "failing", "ended")


@dataclass(frozen=True, slots=True)
class Metric:
    """A family of series.

    Args:
        name: Without the prefix `raystream_`.
        kind: counter, gauge or histogram.
        help: With the unit.
    """

    name: str
    kind: str
    help: str


Sample = tuple[Metric, dict[str, str], float]

UP = Metric("job_up", "gauge", "1 if the job answered within 10 s, else 0")
AGE = Metric("status_age_seconds", "gauge", "Seconds since the job answered last")
STATE = Metric("job_state", "gauge", "1 for the present state of the job")
UPTIME = Metric("uptime_seconds", "gauge", "Seconds since the job's coordinator started")
RESTARTS = Metric("restarts_total", "counter", "Failed attempts of this run")
ROWS_IN = Metric("rows_in_total", "counter", "Rows that came into a step")
ROWS_OUT = Metric("rows_out_total", "counter", "Rows that a step emitted or wrote")
BYTES_IN = Metric("bytes_in_total", "counter", "Bytes that came into a step")
BYTES_OUT = Metric("bytes_out_total", "counter", "Bytes that a step emitted or wrote")
LATE = Metric("late_rows_total", "counter", "Rows behind the watermark")
DLQ = Metric("dlq_rows_total", "counter", "Records that became dead letters")
FUTURE = Metric("future_rows_total", "counter", "Rows beyond max_future")
SKIPPED = Metric("skipped_rows_total", "counter", "Records that `errors: skip` dropped")
BUSY = Metric("busy_ratio", "gauge", "Share of the last seconds that a subtask worked, 0..1")
BACK = Metric("backpressured_ratio", "gauge", "Share that it waited for those behind it, 0..1")
IDLE = Metric("idle_ratio", "gauge", "Share that it had nothing to do, 0..1")
STATE_BYTES = Metric("state_bytes", "gauge", "Bytes of state of a subtask")
TIMERS = Metric("timers", "gauge", "Timers of processes that are set, number")
WINDOWS = Metric("windows_open", "gauge", "Windows and sessions that may still change, number")
SUBTASK_ROWS = Metric("subtask_rows_total", "counter", "Rows into a subtask in this attempt")
WATERMARK = Metric("watermark_seconds", "gauge", "Watermark of the job, epoch seconds")
WATERMARK_LAG = Metric("watermark_lag_seconds", "gauge", "Clock minus watermark, seconds")
LAG_ROWS = Metric("source_lag_rows", "gauge", "Rows not read yet, per split")
LAG_SECONDS = Metric("source_lag_seconds", "gauge", "Age of the newest row read, seconds")
EMIT_LAG = Metric(
    "emit_lag_seconds", "gauge", "Age of the newest row when its source handed it on, seconds"
)
SPLIT_IDLE = Metric("source_idle", "gauge", "1 if a split is idle and delays no watermark")
LAG_TOTAL = Metric("lag_rows", "gauge", "Rows not read yet, all splits")
CHECKPOINT_AGE = Metric("checkpoint_age_seconds", "gauge", "Seconds since one completed")
CHECKPOINT_INTERVAL = Metric("checkpoint_interval_seconds", "gauge", "Configured, seconds")
PHASES = {
    "duration": "Trigger to done of a checkpoint, seconds",
    "align": "Longest wait of a subtask for its last barrier, seconds",
    "sync": "Longest pause of a subtask for its snapshot, seconds",
    "flush": "Longest flush of a sink's transaction, seconds",
    "upload": "Longest upload of a subtask's state, seconds",
    "commit": "Last ack to done of a checkpoint, seconds",
}
LATENCY = Metric(
    "latency_seconds", "histogram", "Event time of a row to the commit of its output, seconds"
)
MAILBOX = Metric(
    "mailbox_latency_seconds", "histogram", "Wait of an order for its turn in a subtask, seconds"
)
DOWNTIME = Metric("restart_downtime_seconds", "gauge", "Seconds down, last restart")
BUSY_S = Metric("busy_seconds_total", "counter", "Seconds that a subtask worked in this attempt")
BACK_S = Metric("backpressured_seconds_total", "counter", "Seconds that it waited for others")
IDLE_S = Metric("idle_seconds_total", "counter", "Seconds that it had nothing to do")
WATERMARK_IN = Metric("input_watermark_seconds", "gauge", "Watermark into a subtask, epoch s")
WATERMARK_OUT = Metric("output_watermark_seconds", "gauge", "Watermark out of a subtask, epoch s")
DRIFT = Metric("watermark_drift_seconds", "gauge", "Seconds between the watermarks of the splits")
QUIET = Metric("source_idle_seconds", "gauge", "Seconds since a split was read to its end")
CHECKPOINT_BYTES = Metric("checkpoint_bytes", "gauge", "Bytes of the last, full and delta")
CHECKPOINTS = Metric("checkpoints_total", "counter", "Checkpoints of this run by result")
TXN_OPEN = Metric("transactions_open", "gauge", "Transactions that are not committed")
TXN_TOTAL = Metric(
    "transactions_total", "counter", "Kafka transactions with rows of this run by result"
)
TXN_AGE = Metric("transaction_age_seconds", "gauge", "Age of the oldest open one, seconds")
TXN_LIMIT = Metric("transaction_limit_seconds", "gauge", "Age of its abort, seconds")

PHASE = {
    name: Metric(f"checkpoint_{name}_seconds", "histogram", words) for name, words in PHASES.items()
}

UP_WITHIN_S = 10.0


def exposition(jobs: Iterable[tuple[StatusDocument, float]]) -> str:
    """The text that Prometheus scrapes.

    Args:
        jobs: Newest document of each job, and seconds since it answered.

    >>> text = exposition([(StatusDocument("sale", "running", restart_count=2), 0.5)])
    >>> print(next(line for line in text.splitlines() if line.startswith("raystream_restarts")))
    raystream_restarts_total{job="sale"} 2
    """
    families: dict[Metric, list[str]] = {}
    for status, age in jobs:
        for metric, labels, value in samples(status, age):
            families.setdefault(metric, []).append(_line(metric.name, status.job, labels, value))
        for metric, labels, histogram in histograms(status):
            lines = _histogram(metric.name, status.job, labels, histogram)
            families.setdefault(metric, []).extend(lines)
    return "".join(_family(metric, lines) for metric, lines in families.items())


def _line(name: str, job: str, labels: dict[str, str], value: float) -> str:
    return f"{PREFIX}{name}{_labels({'job': job, **labels})} {_number(value)}"


def _histogram(
    name: str, job: str, labels: dict[str, str], histogram: HistogramStatus
) -> Iterator[str]:
    for bound, count in histogram.cumulative():
        yield _line(f"{name}_bucket", job, {**labels, "le": bound}, count)
    yield _line(f"{name}_sum", job, labels, histogram.sum_s)
    yield _line(f"{name}_count", job, labels, histogram.count)


def _family(metric: Metric, lines: Sequence[str]) -> str:
    name = f"{PREFIX}{metric.name}"
    head = f"# HELP {name} {metric.help}\n# TYPE {name} {metric.kind}\n"
    return head + "".join(f"{line}\n" for line in lines)


def _labels(labels: dict[str, str]) -> str:
    return "{" + ",".join(f'{name}="{_escaped(value)}"' for name, value in labels.items()) + "}"


def _escaped(value: str) -> str:
    return value.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")


def _number(value: float) -> str:
    return str(int(value)) if value == int(value) else repr(float(value))


def histograms(
    status: StatusDocument,
) -> Iterator[tuple[Metric, dict[str, str], HistogramStatus]]:
    """Histograms of a job; also of one that has ended, since they are of all that it did."""
    for latency in status.latencies[:MOST_SINKS]:
        yield LATENCY, {"step": latency.name}, latency
    for phase in status.phases:
        yield PHASE[phase.name], {}, phase
    yield MAILBOX, {}, status.mailbox


def samples(status: StatusDocument, age: float) -> Iterator[Sample]:
    """Counters and gauges of a job.

    Args:
        status: Its newest document.
        age: Seconds since it answered.
    """
    over = status.outcome is not None
    yield UP, {}, float(not over and age <= UP_WITHIN_S)
    yield AGE, {}, round(age, 3)
    for state in _STATES:
        yield STATE, {"state": state}, float(status.state == state)
    yield RESTARTS, {}, status.restart_count
    down = [each.downtime_s for each in status.restarts if each.downtime_s is not None]
    if down:
        yield DOWNTIME, {}, down[-1]
    if over:
        return
    yield UPTIME, {}, round(status.uptime_s, 3)
    yield from _steps(status)
    yield from _subtasks(status)
    yield from _time(status)
    yield from _safety(status)


def _steps(status: StatusDocument) -> Iterator[Sample]:
    for step in status.steps[:MOST_SUBTASKS]:
        labels = {"step": step.name}
        counted = (
            (ROWS_IN, step.rows_in),
            (ROWS_OUT, step.rows_out),
            (BYTES_IN, step.bytes_in),
            (BYTES_OUT, step.bytes_out),
            (LATE, step.late_rows),
            (DLQ, step.dlq_rows),
            (FUTURE, step.future_rows),
            (SKIPPED, step.skipped_rows),
        )
        yield from ((metric, labels, value) for metric, value in counted)


def _subtasks(status: StatusDocument) -> Iterator[Sample]:
    every = ((chain.name, each) for chain in status.chains for each in chain.subtasks)
    for chain, subtask in islice(every, MOST_SUBTASKS):
        labels = {"step": chain, "chain": chain, "subtask": str(subtask.index)}
        yield BUSY, labels, subtask.busy
        yield BACK, labels, subtask.backpressured
        yield IDLE, labels, subtask.idle
        yield STATE_BYTES, labels, subtask.state_bytes
        yield TIMERS, labels, subtask.timers
        yield WINDOWS, labels, subtask.windows_open
        yield SUBTASK_ROWS, labels, subtask.rows
        yield BUSY_S, labels, subtask.busy_s
        yield BACK_S, labels, subtask.backpressured_s
        yield IDLE_S, labels, subtask.idle_s
        marks = (WATERMARK_IN, subtask.watermark_in_ms), (WATERMARK_OUT, subtask.watermark_ms)
        yield from ((metric, labels, ms / 1000) for metric, ms in marks if _is_time(ms))


def _time(status: StatusDocument) -> Iterator[Sample]:
    if _is_time(status.watermark_ms):
        yield WATERMARK, {}, status.watermark_ms / 1000
        yield WATERMARK_LAG, {}, max(0.0, (status.at_ms - status.watermark_ms) / 1000)
    yield LAG_TOTAL, {}, status.lag_rows or 0
    for split in status.splits[:MOST_SPLITS]:
        labels = {"step": split.step, "split": split.split, **_partition(split.split)}
        if split.lag_rows is not None:
            yield LAG_ROWS, labels, split.lag_rows
        if split.lag_seconds is not None:
            yield LAG_SECONDS, labels, split.lag_seconds
        if split.emit_lag_seconds is not None:
            yield EMIT_LAG, labels, split.emit_lag_seconds
        yield SPLIT_IDLE, labels, float(split.idle)
        yield QUIET, labels, split.quiet_seconds or 0.0
    yield from _drift(status.splits)


def _partition(split: str) -> dict[str, str]:
    """Topic and partition of a split; another kind of split has no partition.

    >>> _partition("requests/3"), _partition("/data/a.csv")
    ({'topic': 'requests', 'partition': '3'}, {'topic': '/data/a.csv', 'partition': ''})
    """
    topic, _, partition = split.rpartition("/")
    if topic and partition.isdecimal():
        return {"topic": topic, "partition": partition}
    return {"topic": split, "partition": ""}


def _drift(splits: Sequence[SplitStatus]) -> Iterator[Sample]:
    marks: dict[str, list[int]] = {}
    for split in splits:
        if not split.idle and _is_time(split.watermark_ms):
            marks.setdefault(split.step, []).append(split.watermark_ms)
    for step, found in marks.items():
        yield DRIFT, {"step": step}, (max(found) - min(found)) / 1000


def _is_time(ms: int | None) -> TypeGuard[int]:
    """Not before the first watermark, and not at the end of time."""
    return ms is not None and abs(ms) < 2**53


def _safety(status: StatusDocument) -> Iterator[Sample]:
    checkpoint = status.checkpoint
    yield CHECKPOINTS, {"result": "completed"}, checkpoint.completed
    yield CHECKPOINTS, {"result": "failed"}, checkpoint.failed
    yield CHECKPOINT_INTERVAL, {}, checkpoint.interval_s
    yield CHECKPOINT_AGE, {}, status.uptime_s if checkpoint.age_s is None else checkpoint.age_s
    if checkpoint.completed:
        yield CHECKPOINT_BYTES, {"kind": "full"}, checkpoint.size_bytes
        yield CHECKPOINT_BYTES, {"kind": "delta"}, checkpoint.new_bytes
    yield TXN_TOTAL, {"result": "committed"}, status.transactions_committed
    yield TXN_TOTAL, {"result": "aborted"}, status.transactions_aborted
    yield TXN_OPEN, {}, status.open_transactions
    yield TXN_AGE, {}, status.oldest_transaction_s
    limits = [each.limit_s for each in status.transactions if each.limit_s]
    if limits:
        yield TXN_LIMIT, {}, min(limits)
