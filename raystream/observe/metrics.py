"""Counters of one task: plain numbers, written by the processing thread and read by a ping."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

from raystream.ids import SplitId, StepName
from raystream.observe.histogram import Histogram
from raystream.observe.samples import Samples

UNFIT_COUNTERS = ("dlq_rows", "future_rows", "skipped_rows")
"""Records that are in no row: written as dead letters, beyond max_future, dropped by `skip`."""

NULLED = "nan_as_null"
"""Counter of a sink: NaN and infinities written as null because the format has none."""

TRANSACTIONS = "transactions"
"""Transactions of a Kafka sink that got a row; up to a checkpoint, those that it committed."""

REJECTED = "rejected_rows"
"""Records that a source read but emitted as no row, for whatever reason; each counted once."""

KEPT_CHECKPOINTS = 4
"""Checkpoints whose times a task keeps: a ping comes about every second."""

ROW_COUNTERS = ("rows_in", "rows_out", "late_rows", "dlq_rows", "future_rows", "skipped_rows")
"""Counters of a step that are always shown, even if they are 0 (api-and-yaml.md 4.5)."""


class TaskMetrics:
    """Metrics of one subtask, per step and for itself.

    One thread writes, others may read `to_dict` at any time: each value is a single number, so a
    reader sees a recent one. Costs a dict update per batch and step.

    Args:
        steps: Names of the chain's steps, first to last.
        samples: Samples of the rows that its steps drop.

    >>> metrics = TaskMetrics(["read", "count"])
    >>> metrics.counter("read")("rows_out", 20_000)
    >>> metrics.spent("busy", 0.25)
    >>> metrics.to_dict()["steps"]["read"]["rows_out"], metrics.to_dict()["busy_seconds"]
    (20000, 0.25)
    """

    __slots__ = (
        "_counts",
        "backpressured_seconds",
        "busy_seconds",
        "checkpoints",
        "held_back_by",
        "idle_seconds",
        "lag",
        "latencies",
        "lowest",
        "mailbox",
        "oldest_transaction_s",
        "open_transactions",
        "samples",
        "silent",
        "sink_wait_seconds",
        "splits",
        "state_bytes",
        "state_disk_bytes",
        "timers",
        "transactions",
        "waits_for_sink",
        "watermark_in",
        "watermark_out",
        "windows_open",
    )

    def __init__(self, steps: Iterable[StepName], samples: Samples | None = None) -> None:
        self._counts: dict[StepName, dict[str, int]] = {
            step: defaultdict(int, dict.fromkeys(ROW_COUNTERS, 0)) for step in steps
        }
        self.busy_seconds = 0.0
        self.backpressured_seconds = 0.0
        self.idle_seconds = 0.0
        self.sink_wait_seconds = 0.0
        self.waits_for_sink = False
        self.watermark_in: int | None = None
        self.watermark_out: int | None = None
        self.held_back_by: str | None = None
        self.lag: Mapping[SplitId, int] = {}
        self.latencies: dict[StepName, Histogram] = {}
        self.mailbox = Histogram()
        self.lowest: int | None = None
        self.open_transactions = 0
        self.oldest_transaction_s = 0.0
        self.state_bytes = 0
        self.state_disk_bytes = 0
        self.timers = 0
        self.windows_open = 0
        self.samples = samples
        self.splits: Sequence[Mapping[str, Any]] = ()
        self.silent: Sequence[Mapping[str, Any]] = ()
        self.transactions: Sequence[Mapping[str, Any]] = ()
        self.checkpoints: Mapping[int, Mapping[str, float]] = {}

    def counter(self, step: StepName) -> Callable[[str, int], None]:
        """The `Count` of a step for its context: `count("late_rows", 3)`."""
        counts = self._counts[step]

        def count(name: str, n: int) -> None:
            counts[name] += n

        return count

    def add(self, step: StepName, name: str, n: int) -> None:
        """Raise counter `name` of `step` by n."""
        self._counts[step][name] += n

    def spent(self, how: str, seconds: float) -> None:
        """Account for time of the processing thread.

        Args:
            how: `busy`, `backpressured` (no credit downstream) or `idle` (nothing to do).
            seconds: How long.
        """
        name = f"{how}_seconds"
        setattr(self, name, getattr(self, name) + seconds)
        if self.waits_for_sink and how == "backpressured":
            self.sink_wait_seconds += seconds

    def took(self, checkpoint: int, **times: float) -> None:
        """Record the times of a checkpoint in this task.

        Args:
            checkpoint: Its number.
            times: align_s, sync_s, flush_s: seconds; handed_in_ms: epoch ms.
        """
        known = {**self.checkpoints, checkpoint: {**self.checkpoints.get(checkpoint, {}), **times}}
        self.checkpoints = dict(sorted(known.items())[-KEPT_CHECKPOINTS:])

    def latency(self, step: StepName) -> Histogram:
        """Histogram of the latency of a sink: from the time of a row to its commit."""
        return self.latencies.setdefault(step, Histogram())

    def counted(self) -> dict[StepName, dict[str, int]]:
        """The counters of each step, a copy."""
        return {step: dict(counts) for step, counts in self._counts.items()}

    def to_dict(self) -> dict[str, Any]:
        """A plain copy (JSON types) that travels in a Pong; times of watermarks in epoch ms."""
        return {
            "steps": self.counted(),
            "busy_seconds": self.busy_seconds,
            "backpressured_seconds": self.backpressured_seconds,
            "idle_seconds": self.idle_seconds,
            "sink_wait_seconds": self.sink_wait_seconds,
            "watermark_in": self.watermark_in,
            "watermark_out": self.watermark_out,
            "held_back_by": self.held_back_by,
            "lag": dict(self.lag),
            "lowest": self.lowest,
            "open_transactions": self.open_transactions,
            "oldest_transaction_s": self.oldest_transaction_s,
            "state_bytes": self.state_bytes,
            "state_disk_bytes": self.state_disk_bytes,
            "timers": self.timers,
            "windows_open": self.windows_open,
            "samples": self.samples.told() if self.samples else [],
            "latencies": {step: each.told() for step, each in self.latencies.items()},
            "mailbox": self.mailbox.told(),
            "splits": list(self.splits),
            "silent": list(self.silent),
            "transactions": list(self.transactions),
            "checkpoints": {str(n): dict(times) for n, times in self.checkpoints.items()},
        }
