"""Statistics of a run, and the status document and outcome made from them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from raystream.checkpoint.counters import Counters, at_least, counters_in, total
from raystream.checkpoint.records import Checkpoint, Restore
from raystream.ids import StepName, SubtaskId
from raystream.job.cause import Cause
from raystream.job.checkpoint_book import CheckpointBook
from raystream.job.facts import description, plain, without_credentials
from raystream.job.flow_sums import (
    Samples,
    Stats,
    chain_statuses,
    merged_samples,
    natural,
    silences,
    split_statuses,
    stuck_functions,
    transaction_statuses,
)
from raystream.job.latency_book import LatencyBook
from raystream.job.outcome import Outcome, OutcomeKind
from raystream.job.positions import positions
from raystream.observe.culprit import culprits
from raystream.observe.metrics import NULLED, REJECTED, TRANSACTIONS, UNFIT_COUNTERS
from raystream.observe.status import (
    DROPPED,
    CheckpointStatus,
    HistogramStatus,
    RestartStatus,
    SampleStatus,
    StatusDocument,
    StepStatus,
)
from raystream.observe.unknown import UNKNOWN, names_apart, unknown_notes
from raystream.plan.physical import ChainSpec, PhysicalPlan, StepSpec

KEPT_RESTARTS = 20

KEPT_POSITIONS = 100
POSITION = 40
"""Maximum length of a kept position, characters."""

UNCOMMITTED = frozenset({"cancelled", "failed", "superseded"})
"""Ends without a last commit: rows in flight are read again, so they are not counted."""


@dataclass(slots=True)
class Report:
    """Statistics of one run of a job.

    Counters of a failed attempt count only up to the checkpoint that the next attempt restores,
    which contains them: whatever came later is read and counted again.

    Args:
        job: Name of the job.
        plan: What runs.
        started: Monotonic seconds.
        first: What is known about the job before it runs (job.facts); None: only the plan.
    """

    job: str
    plan: PhysicalPlan
    started: float
    first: StatusDocument | None = None
    checkpoints: CheckpointBook = field(default_factory=CheckpointBook)
    restarts: tuple[RestartStatus, ...] = ()
    restart_count: int = 0
    notes: tuple[str, ...] = ()
    nodes: Mapping[SubtaskId, str] = field(default_factory=dict)
    latencies: LatencyBook = field(default_factory=LatencyBook)
    mailboxes: LatencyBook = field(default_factory=LatencyBook)
    _stats: dict[SubtaskId, Stats] = field(default_factory=dict)
    _before: dict[SubtaskId, Stats] = field(default_factory=dict)
    counted_before: Counters = field(default_factory=dict)
    _counted_at_the_end: Counters = field(default_factory=dict)
    _committed: Counters = field(default_factory=dict)
    _only_committed: bool = False
    _samples: Samples = field(default_factory=dict)
    _started_at_ms: int = 0
    _came_from: str = ""
    _resumed_at: Mapping[str, str] = field(default_factory=dict)
    _aborted: int = 0
    _unresolved: int = 0
    _copies: dict[str, int] = field(default_factory=dict)
    _down_since: float | None = None
    _message: str = ""

    # --- events

    def began(self, wall_ms: int) -> None:
        """Set the wall-clock time of `started`, epoch ms."""
        self._started_at_ms = wall_ms
        self.checkpoints.wall_ms = wall_ms - self.started * 1000

    def pong(self, subtask: SubtaskId, stats: Stats) -> None:
        """Record the counters of a subtask."""
        if subtask in self._stats:
            self._before[subtask] = self._stats[subtask]
        self._stats[subtask] = stats
        self._samples = merged_samples(self._samples, stats.get("samples", ()))
        self.checkpoints.pong(subtask, stats.get("checkpoints", {}))

    def failed(self, attempt: int, cause: Cause, now: float) -> None:
        """Record that an attempt failed and will be followed by another."""
        at_s = round(now - self.started, 3)
        lines = tuple(cause.text().splitlines())
        reason = cause.failure.reason
        note = RestartStatus(attempt, cause.line(), at_s, self._wall(now), None, lines, reason)
        self.restarts = (*self.restarts, note)[-KEPT_RESTARTS:]
        self.restart_count += 1
        self._down_since = now
        self._unresolved = _transactions(self._counters())
        self.checkpoints.fail(cause.line(), now)

    def opening(self) -> None:
        """Reset the counters for a new attempt."""
        self.latencies.end_attempt(_latencies(self._stats))
        self.mailboxes.end_attempt(_mailboxes(self._stats))
        self._stats, self._before = {}, {}

    def recovered(
        self,
        number: int,
        base: Checkpoint | Restore | None = None,
        counted: Counters | None = None,
    ) -> None:
        """Record that the job continues from this checkpoint (0: from the start).

        Args:
            number: Number of the checkpoint.
            base: What is restored.
            counted: Counters of this run up to that checkpoint.
        """
        self.checkpoints.number = number
        self.counted_before = self._committed = counted or {}
        self._aborted += max(0, self._unresolved - _transactions(self._committed))
        self._unresolved = 0
        self.opening()
        if not self.restart_count and not self.checkpoints.completed:
            self._came_from, self._resumed_at = _origin(base), _positions(base)

    def running(self, now: float) -> None:
        """Record that every subtask of an attempt runs."""
        if self._down_since is not None and self.restarts:
            last = replace(self.restarts[-1], downtime_s=round(now - self._down_since, 3))
            self.restarts = (*self.restarts[:-1], last)
        self._down_since = None

    def triggered(self, number: int, now: float, *, final: bool = False) -> None:
        """Record that a checkpoint was triggered."""
        self.checkpoints.triggered(number, self.plan.subtasks(), now, final=final)

    def ack(self, subtask: SubtaskId, number: int, now: float) -> None:
        """Record that all state of a subtask for this checkpoint is durable."""
        self.checkpoints.ack(subtask, number, now)

    def acked(self, now: float) -> None:
        """Record the last ack."""
        self.checkpoints.last_ack(now)

    def completed(self, checkpoint: Checkpoint, now: float) -> None:
        """Record that a checkpoint is committed."""
        self._committed = counters_in(checkpoint.job)
        if checkpoint.final:
            self._counted_at_the_end = self._committed
        self.checkpoints.complete(checkpoint, now)

    def keeping(self, number: int, savepoint: str) -> None:
        """Record that a checkpoint is being copied to this address."""
        self._copies[savepoint] = number

    def kept(self, savepoint: str) -> None:
        """Record that the savepoint at this address is complete."""
        number = self._copies.pop(savepoint, None)
        if number is not None:
            self.checkpoints.keep(number, without_credentials(savepoint))

    # --- status

    @property
    def checkpoint(self) -> CheckpointStatus:
        """Checkpoint counts, without times."""
        return self.checkpoints.status(self.started)

    def status(self, state: str, attempt: int, now: float, outcome: str | None) -> StatusDocument:
        """Status document of the job at this moment."""
        chains = chain_statuses(self.plan, self._stats, self._before, self.nodes)
        marks = [c.watermark_ms for c in chains if c.watermark_ms is not None]
        transactions = transaction_statuses(self._stats)
        document = replace(
            self.first or plain(self.job, self.plan),
            state=state,
            uptime_s=now - self.started,
            attempt=attempt,
            restart_count=self.restart_count,
            restarts=self.restarts,
            steps=self._steps(),
            chains=chains,
            lag=self._lag(),
            watermark_ms=min(marks, default=None),
            checkpoint=self.checkpoints.status(now),
            open_transactions=sum(s.get("open_transactions", 0) for s in self._stats.values()),
            oldest_transaction_s=max(
                (s.get("oldest_transaction_s", 0.0) for s in self._stats.values()), default=0.0
            ),
            outcome=outcome,
            message=self._message if outcome else "",
            at_ms=self._wall(now),
            started_at_ms=self._started_at_ms,
            came_from=self._came_from,
            resumed_at=self._resumed_at,
            silences=silences(self._stats),
            stuck=stuck_functions(self._stats),
            splits=split_statuses(self.plan, self._stats),
            transactions=transactions,
            transactions_committed=_transactions(self._committed),
            transactions_aborted=self._aborted,
            latencies=self.latencies.statuses(_latencies(self._stats), now),
            phases=self.checkpoints.phases(),
            mailbox=self._mailbox(now),
        )
        notes = (*self.notes, *unknown_notes(document))
        if outcome is not None:  # the subtasks' last counters are older than their last commit
            return replace(document, notes=notes).ended(outcome)
        found = culprits(document)
        return replace(document, notes=notes + found, culprits=found)

    def outcome(self, kind: OutcomeKind, message: str, now: float) -> Outcome:
        """How the run ended; without a last commit, counting only what is committed."""
        self._message = message
        self._only_committed = kind in UNCOMMITTED
        self.checkpoints.fail(message.partition("\n")[0] or f"the job {kind}", now)
        status = self.status("ended", 0, now, kind)
        return Outcome(
            kind,
            message,
            checkpoint=self.checkpoints.number or None,
            rows_in=status.rows_read,
            rows_out=status.rows_written,
            late=status.total("late_rows"),
            restarts=self.restart_count,
            counters={name: status.total(name) for name in (*UNFIT_COUNTERS, UNKNOWN, NULLED)},
            came_from=self._came_from,
            resumed_at=self._resumed_at,
        )

    # --- sums

    def in_flight(self) -> str:
        """Message about rows that were read but are in no checkpoint; empty if there are none."""
        rows = _read(self._counters(), self.plan) - _read(self._committed, self.plan)
        if rows <= 0:
            return ""
        once = self.first is None or self.first.delivery_guarantee in {"", "exactly_once"}
        fate = "are not written" if once else "may be written already"
        return f"at least {rows} rows were in flight and {fate}; the next run reads them again"

    def _counters(self) -> Counters:
        if self._only_committed:
            return self._committed
        now = total(stats.get("steps", {}) for stats in self._stats.values())
        return at_least(total((self.counted_before, now)), self._counted_at_the_end)

    def _steps(self) -> tuple[StepStatus, ...]:
        counters = self._counters()
        return tuple(
            _step(chain, step, counters.get(step.name, {}), self._samples_of(step.name))
            for chain, step in self.plan.steps()
        )

    def _samples_of(self, step: StepName) -> tuple[SampleStatus, ...]:
        return tuple(s for kind in DROPPED for s in self._samples.get((step, kind), ()))

    def _mailbox(self, now: float) -> HistogramStatus:
        found = self.mailboxes.statuses(_mailboxes(self._stats), now)
        return found[0] if found else HistogramStatus(_MAILBOX)

    def _lag(self) -> dict[str, int]:
        return {split: n for s in self._stats.values() for split, n in s.get("lag", {}).items()}

    def _wall(self, now: float) -> int:
        return self._started_at_ms + round((now - self.started) * 1000)


_MAILBOX = "mailbox"


def _latencies(stats: Mapping[SubtaskId, Stats]) -> list[Mapping[str, Any]]:
    return [each.get("latencies", {}) for each in stats.values()]


def _mailboxes(stats: Mapping[SubtaskId, Stats]) -> list[Mapping[str, Any]]:
    return [{_MAILBOX: each[_MAILBOX]} for each in stats.values() if _MAILBOX in each]


def _transactions(counters: Counters) -> int:
    """Transactions of all Kafka sinks."""
    return sum(each.get(TRANSACTIONS, 0) for each in counters.values())


def _read(counters: Counters, plan: PhysicalPlan) -> int:
    """Number of records that the sources read: rows, and those that became no row."""
    return sum(
        counters.get(chain.source.name, {}).get(name, 0)
        for chain in plan.chains
        if chain.source is not None
        for name in ("rows_out", REJECTED)
    )


def _origin(base: Checkpoint | Restore | None) -> str:
    if isinstance(base, Restore) and base.savepoint:
        return f"savepoint {without_credentials(base.savepoint)}"
    return f"checkpoint {base.number}" if isinstance(base, Checkpoint) else "nothing"


def _positions(base: Checkpoint | Restore | None) -> dict[str, str]:
    """Split -> position at which the sources continue, from all states with positions; sorted."""
    found = {
        str(split): _short(position)
        for of_step in positions(base).values()
        for split, position in of_step.items()
    }
    first = sorted(found, key=natural)[:KEPT_POSITIONS]
    return {split: found[split] for split in first}


def _short(position: Any) -> str:
    """A short text of a position: only its offset if it has one; the rest is for the source."""
    if isinstance(position, Mapping) and "offset" in position:
        position = position["offset"]
    text = str(position)
    return text if len(text) <= POSITION else f"{text[: POSITION - 2]}.."


_KNOWN = ("rows_in", "rows_out", "bytes_in", "bytes_out", *DROPPED)


def _step(
    chain: ChainSpec,
    spec: StepSpec,
    counters: Mapping[str, int],
    samples: tuple[SampleStatus, ...],
) -> StepStatus:
    name = spec.name
    counters, unknown = names_apart(counters)
    flags = {
        "is_source": int(chain.source is not None and chain.source.name == name),
        "is_sink": int(chain.sink is not None and chain.sink.name == name),
    }
    values: dict[str, Any] = {each: counters.get(each, 0) for each in _KNOWN}
    return StepStatus(
        name,
        chain.name,
        chain.parallelism,
        counters={**counters, **flags},
        verb=spec.step.word,
        description=description(spec),
        samples=samples,
        unknown_fields=counters.get(UNKNOWN, 0),
        unknown_names=unknown,
        **values,
    )
