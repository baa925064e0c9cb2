"""The status document: one frozen, versioned value for terminal, notebook, page and --json."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from raystream.observe.flow import ChainStatus as ChainStatus  # noqa: PLC0414 - one place to import
from raystream.observe.flow import EdgeStatus as EdgeStatus  # noqa: PLC0414
from raystream.observe.flow import SampleStatus as SampleStatus  # noqa: PLC0414
from raystream.observe.flow import SplitStatus as SplitStatus  # noqa: PLC0414
from raystream.observe.flow import StepStatus as StepStatus  # noqa: PLC0414
from raystream.observe.flow import SubtaskStatus as SubtaskStatus  # noqa: PLC0414
from raystream.observe.histogram import HistogramStatus as HistogramStatus  # noqa: PLC0414
from raystream.observe.json_form import from_json, to_json
from raystream.observe.metrics import REJECTED
from raystream.observe.safety import CheckpointEntry as CheckpointEntry  # noqa: PLC0414
from raystream.observe.safety import CheckpointStatus as CheckpointStatus  # noqa: PLC0414
from raystream.observe.safety import RestartStatus as RestartStatus  # noqa: PLC0414
from raystream.observe.safety import TransactionStatus as TransactionStatus  # noqa: PLC0414
from raystream.observe.silence import Silence as Silence  # noqa: PLC0414
from raystream.observe.stuck import StuckFunction as StuckFunction  # noqa: PLC0414

STATUS_VERSION = 1
"""Raised when a field changes its meaning or goes away; new fields do not raise it."""

DROPPED = (
    "late_rows",
    "dlq_rows",
    "future_rows",
    "skipped_rows",
    "filtered_rows",
    "duplicate_rows",
)
"""Counters of rows that do not reach the sink, in the order of interest."""


@dataclass(frozen=True, slots=True)
class StatusDocument:
    """Complete external status of a job at one moment.

    Args:
        job: Its name.
        state: recovering, deploying, running, stopping, failing, ended.
        uptime_s: Since the coordinator started.
        attempt: Number of the present attempt (0: none yet).
        restart_count: All failed attempts of this run.
        restarts: Failed attempts of this run, oldest first, at most the last 20.
        steps: Every step, in the order of the plan.
        chains: Every chain, in topological order.
        lag: Rows not read yet, per split, if the source knows.
        watermark_ms: Watermark of the job: the least of its chains, epoch ms; None: not yet.
        checkpoint: Checkpoints of this run.
        open_transactions: Transactions that hold rows and are not committed.
        oldest_transaction_s: Age of the oldest of them.
        notes: Notes for people: smaller CPU shares, suspects, what holds the watermark back.
        outcome: How it ended, or None.
        version: Of this document; see STATUS_VERSION.
        message: How it ended, for people: the first cause in at most 10 lines.
        at_ms: When this was written, epoch ms.
        started_at_ms: When the coordinator started, epoch ms.
        run: Random id of this run.
        raystream_version: Version of raystream that runs it.
        delivery_guarantee: exactly_once, at_least_once, none.
        parallelism: Of the widest chain.
        bounded: It ends when everything is read.
        storage: Where its checkpoints are; without credentials.
        came_from: What the run started from: `nothing`, `checkpoint 17`, a savepoint's address.
        resumed_at: Split -> position that the run resumed at, as text; only the first 100.
        splits: Splits of the sources; only the lowest if a subtask has more than 1,000.
        edges: The edges between the chains.
        transactions: The open transactions, oldest first.
        silences: Brokers and storage that have not answered for some seconds, longest first.
        stuck: Functions of the user that have not returned for 10 s, longest first.
        latencies: Of each sink: from the event time of a row (of its record, or the end of its
            window) to the commit of its output. Quantiles are those of the last minute.
        phases: Of the checkpoints of this run: duration, align, sync, flush, upload, commit.
        mailbox: How long orders (barriers, commits) wait in the subtasks for their turn.
        transactions_committed: Transactions of Kafka sinks that this run has committed.
        transactions_aborted: Those that its failed attempts left open, as they were told last.
        culprits: What slows the job down, in words, most useful first (also among the notes).

    >>> StatusDocument.from_dict(StatusDocument("sale", "running").to_dict()).state
    'running'
    """

    job: str
    state: str
    uptime_s: float = 0.0
    attempt: int = 0
    restart_count: int = 0
    restarts: tuple[RestartStatus, ...] = ()
    steps: tuple[StepStatus, ...] = ()
    chains: tuple[ChainStatus, ...] = ()
    lag: Mapping[str, int] = field(default_factory=dict)
    watermark_ms: int | None = None
    checkpoint: CheckpointStatus = field(default_factory=CheckpointStatus)
    open_transactions: int = 0
    oldest_transaction_s: float = 0.0
    notes: tuple[str, ...] = ()
    outcome: str | None = None
    version: int = STATUS_VERSION
    message: str = ""
    at_ms: int = 0
    started_at_ms: int = 0
    run: str = ""
    raystream_version: str = ""
    delivery_guarantee: str = ""
    parallelism: int = 0
    bounded: bool = False
    storage: str = ""
    came_from: str = ""
    splits: tuple[SplitStatus, ...] = ()
    edges: tuple[EdgeStatus, ...] = ()
    transactions: tuple[TransactionStatus, ...] = ()
    culprits: tuple[str, ...] = ()
    resumed_at: Mapping[str, str] = field(default_factory=dict)
    silences: tuple[Silence, ...] = ()
    stuck: tuple[StuckFunction, ...] = ()
    latencies: tuple[HistogramStatus, ...] = ()
    phases: tuple[HistogramStatus, ...] = ()
    mailbox: HistogramStatus = field(default_factory=lambda: HistogramStatus("mailbox"))
    transactions_committed: int = 0
    transactions_aborted: int = 0

    @property
    def rows_read(self) -> int:
        """Records that all sources read, also those that became no row (dead letters)."""
        return sum(
            step.rows_out + step.counters.get(REJECTED, 0) for step in self.steps if step.is_source
        )

    @property
    def rows_written(self) -> int:
        """Rows that all sinks accepted."""
        return sum(step.rows_in for step in self.steps if step.is_sink)

    @property
    def lag_rows(self) -> int | None:
        """Rows not read yet in all splits; None: no source knows."""
        known = [split.lag_rows for split in self.splits if split.lag_rows is not None]
        return sum(known) if known else None

    @property
    def bytes_read(self) -> int:
        """Payload bytes that all sources read, where known."""
        return sum(step.bytes_in for step in self.steps if step.is_source)

    @property
    def bytes_written(self) -> int:
        """Payload bytes that all sinks wrote, where known."""
        return sum(step.bytes_out for step in self.steps if step.is_sink)

    @property
    def state_bytes(self) -> int:
        """Memory of all state."""
        return sum(chain.state_bytes for chain in self.chains)

    def total(self, counter: str) -> int:
        """A counter summed over all steps: `status.total("late_rows")`."""
        return sum(step.counters.get(counter, 0) for step in self.steps)

    def ended(self, outcome: str, message: str = "") -> StatusDocument:
        """The document after the end: what was in progress is over.

        Args:
            outcome: How it ended, if the document does not say it yet.
            message: For people, if the document has none yet.

        >>> StatusDocument("sale", "stopping", open_transactions=1).ended("stopped")
        ... # doctest: +ELLIPSIS
        StatusDocument(job='sale', state='ended', ... open_transactions=0, ...
        """
        return replace(
            self,
            state="ended",
            outcome=self.outcome or outcome,
            message=self.message or message,
            transactions=(),
            open_transactions=0,
            oldest_transaction_s=0.0,
            culprits=(),
            silences=(),
            stuck=(),
            notes=tuple(note for note in self.notes if note not in self.culprits),
        )

    def to_dict(self) -> dict[str, Any]:
        """JSON types, the field names as keys."""
        document: dict[str, Any] = to_json(self)
        return document

    @classmethod
    def from_dict(cls, document: Mapping[str, Any]) -> StatusDocument:
        """Rebuild the document; fields of a newer raystream are ignored, at any depth.

        Raises:
            ValueError: a field without a default is missing.
        """
        return from_json(cls, document)
