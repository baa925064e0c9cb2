"""The status document: one frozen, versioned value for terminal, notebook, page and --json."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any

STATUS_VERSION = 1
"""Raised when a field changes its meaning or goes away; new fields do not raise it."""


@dataclass(frozen=True, slots=True)
class RestartStatus:
    """One restart: the attempt that failed, its first cause, seconds since the job started."""

    attempt: int
    cause: str
    at_s: float


@dataclass(frozen=True, slots=True)
class StepStatus:
    """Counters of one step, summed over its subtasks (names: api-and-yaml.md 4.5).

    Args:
        name: Step name.
        chain: Chain (and so actors) it runs in.
        parallelism: Number of subtasks.
        counters: All counters of the step by name (rows_in, rows_out, late_rows, ..).
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


@dataclass(frozen=True, slots=True)
class ChainStatus:
    """How a chain spends its time and where its event time is.

    Args:
        name: Name of the chain.
        busy: Share of the time since the last look that its busiest subtask worked, 0..1.
        backpressured: The same for waiting on credit downstream.
        watermark_ms: Least watermark over its subtasks (epoch ms), None before the first.
        held_back_by: Who holds it back: a split or a channel, or None.
    """

    name: str
    busy: float = 0.0
    backpressured: float = 0.0
    watermark_ms: int | None = None
    held_back_by: str | None = None


@dataclass(frozen=True, slots=True)
class CheckpointStatus:
    """Checkpoints of this run: the last completed one, and the one under way.

    Args:
        number: Last completed (0: none yet).
        completed: How many completed in this run.
        failed: How many were cut off by a failed attempt.
        running: Number of the one under way, or None.
        duration_s: Trigger to `done` of the last.
        ack_s: Trigger to last ack.
        commit_s: Last ack to `done`.
        size_bytes: All state it names.
        new_bytes: What had to be uploaded for it.
        age_s: Since it completed.
    """

    number: int = 0
    completed: int = 0
    failed: int = 0
    running: int | None = None
    duration_s: float = 0.0
    ack_s: float = 0.0
    commit_s: float = 0.0
    size_bytes: int = 0
    new_bytes: int = 0
    age_s: float | None = None


@dataclass(frozen=True, slots=True)
class StatusDocument:
    """All there is to know about a job from outside, at one moment.

    Args:
        state: recovering, deploying, running, stopping, failing, ended.
        uptime_s: Since the coordinator started.
        attempt: Number of the present attempt (0: none yet).
        restarts: Failed attempts of this run, oldest first, at most the last 20.
        restart_count: All of them.
        lag: Rows not read yet, per split, where the source knows.
        open_transactions: Transactions that hold rows and are not committed.
        oldest_transaction_s: Age of the oldest of them.
        notes: What people should know: smaller CPU shares, suspects, who holds event time back.
        outcome: How it ended, or None.

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

    @property
    def rows_read(self) -> int:
        """Rows that all sources gave (a source has no rows in)."""
        return sum(step.rows_out for step in self.steps if step.counters.get("is_source"))

    @property
    def rows_written(self) -> int:
        """Rows that all sinks took."""
        return sum(step.rows_in for step in self.steps if step.counters.get("is_sink"))

    def total(self, counter: str) -> int:
        """A counter summed over all steps: `status.total("late_rows")`."""
        return sum(step.counters.get(counter, 0) for step in self.steps)

    def to_dict(self) -> dict[str, Any]:
        """JSON types, the field names as keys."""
        return asdict(self)

    @classmethod
    def from_dict(cls, document: Mapping[str, Any]) -> StatusDocument:
        """The document again; fields of a newer raystream are ignored."""
        values = {name: document[name] for name in cls.__dataclass_fields__ if name in document}
        values["restarts"] = tuple(RestartStatus(**each) for each in document.get("restarts", ()))
        values["steps"] = tuple(StepStatus(**each) for each in document.get("steps", ()))
        values["chains"] = tuple(ChainStatus(**each) for each in document.get("chains", ()))
        values["checkpoint"] = CheckpointStatus(**document.get("checkpoint", {}))
        values["notes"] = tuple(document.get("notes", ()))
        return cls(**values)
