"""Keeps the books of a run and makes the status document and the outcome out of them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from raystream.checkpoint.records import Checkpoint
from raystream.ids import StepName, SubtaskId
from raystream.job.cause import Cause
from raystream.job.outcome import Outcome, OutcomeKind
from raystream.observe.culprit import culprits
from raystream.observe.metrics import UNFIT_COUNTERS
from raystream.observe.status import (
    ChainStatus,
    CheckpointStatus,
    RestartStatus,
    StatusDocument,
    StepStatus,
)
from raystream.plan.physical import ChainSpec, PhysicalPlan

KEPT_RESTARTS = 20

Stats = Mapping[str, Any]
Counters = dict[StepName, dict[str, int]]


@dataclass(slots=True)
class Report:
    """Books of one run of a job.

    Counters of an attempt that failed count up to its last completed checkpoint (as of the ping
    before it): what came later is read again and counted again.

    Args:
        job: Name of the job.
        plan: What runs.
        started: Monotonic seconds.
    """

    job: str
    plan: PhysicalPlan
    started: float
    checkpoint: CheckpointStatus = field(default_factory=CheckpointStatus)
    restarts: tuple[RestartStatus, ...] = ()
    restart_count: int = 0
    notes: tuple[str, ...] = ()
    _stats: dict[SubtaskId, Stats] = field(default_factory=dict)
    _before: dict[SubtaskId, Stats] = field(default_factory=dict)
    _earlier: Counters = field(default_factory=dict)
    _kept: Counters = field(default_factory=dict)
    _triggered: float = 0.0
    _acked: float = 0.0
    _completed: float | None = None
    _known_segments: frozenset[str] = frozenset()

    # --- what happened

    def pong(self, subtask: SubtaskId, stats: Stats) -> None:
        """A subtask told its counters."""
        if subtask in self._stats:
            self._before[subtask] = self._stats[subtask]
        self._stats[subtask] = stats

    def failed(self, attempt: int, cause: Cause, now: float) -> None:
        """An attempt failed and will be followed by another."""
        note = RestartStatus(attempt, cause.line(), round(now - self.started, 3))
        self.restarts = (*self.restarts, note)[-KEPT_RESTARTS:]
        self.restart_count += 1
        running = self.checkpoint.running is not None
        failed = self.checkpoint.failed + running
        self.checkpoint = replace(self.checkpoint, running=None, failed=failed)

    def opening(self) -> None:
        """A new attempt: its counters begin at 0."""
        self._earlier = _sum((self._earlier, self._kept))
        self._stats, self._before, self._kept = {}, {}, {}

    def recovered(self, number: int) -> None:
        """The job goes on from this checkpoint (0: from the start)."""
        self.checkpoint = replace(self.checkpoint, number=number)

    def triggered(self, number: int, now: float) -> None:
        """A checkpoint began."""
        self._triggered = self._acked = now
        self.checkpoint = replace(self.checkpoint, running=number)

    def acked(self, now: float) -> None:
        """The last ack came."""
        self._acked = now

    def completed(self, checkpoint: Checkpoint, now: float) -> None:
        """A checkpoint is committed."""
        sizes = _segments(checkpoint)
        new = sum(size for key, size in sizes.items() if key not in self._known_segments)
        self._known_segments = frozenset(sizes)
        self._completed = now
        self._kept = self._counters()
        self.checkpoint = CheckpointStatus(
            number=checkpoint.number,
            completed=self.checkpoint.completed + 1,
            failed=self.checkpoint.failed,
            duration_s=now - self._triggered,
            ack_s=self._acked - self._triggered,
            commit_s=now - self._acked,
            size_bytes=sum(sizes.values()),
            new_bytes=new,
        )

    # --- what is told

    def status(self, state: str, attempt: int, now: float, outcome: str | None) -> StatusDocument:
        """The job at this moment."""
        age = None if self._completed is None else now - self._completed
        chains = tuple(map(self._chain, self.plan.chains))
        marks = [c.watermark_ms for c in chains if c.watermark_ms is not None]
        document = StatusDocument(
            job=self.job,
            state=state,
            uptime_s=now - self.started,
            attempt=attempt,
            restart_count=self.restart_count,
            restarts=self.restarts,
            steps=self._steps(),
            chains=chains,
            lag=self._lag(),
            watermark_ms=min(marks, default=None),
            checkpoint=replace(self.checkpoint, age_s=age),
            open_transactions=sum(s.get("open_transactions", 0) for s in self._stats.values()),
            oldest_transaction_s=max(
                (s.get("oldest_transaction_s", 0.0) for s in self._stats.values()), default=0.0
            ),
            outcome=outcome,
        )
        return replace(document, notes=self.notes + culprits(document))

    def outcome(self, kind: OutcomeKind, message: str, now: float) -> Outcome:
        """How the run ended."""
        status = self.status("ended", 0, now, kind)
        return Outcome(
            kind,
            message,
            checkpoint=self.checkpoint.number or None,
            rows_in=status.rows_read,
            rows_out=status.rows_written,
            late=status.total("late_rows"),
            restarts=self.restart_count,
            counters={name: status.total(name) for name in UNFIT_COUNTERS},
        )

    # --- sums

    def _counters(self) -> Counters:
        return _sum(stats.get("steps", {}) for stats in self._stats.values())

    def _steps(self) -> tuple[StepStatus, ...]:
        counters = _sum((self._earlier, self._counters()))
        return tuple(
            _step(chain, name, counters.get(name, {}))
            for chain in self.plan.chains
            for name in (step.name for step in chain.steps)
        )

    def _lag(self) -> dict[str, int]:
        return {split: n for s in self._stats.values() for split, n in s.get("lag", {}).items()}

    def _chain(self, chain: ChainSpec) -> ChainStatus:
        told = [(s, self._stats[s]) for s in chain.subtasks() if s in self._stats]
        slowest: Stats = {}
        mark: int | None = None
        if told:
            marks = [stats.get("watermark_out") for _, stats in told]
            mark = None if None in marks else min(m for m in marks if m is not None)
            slowest = min((s for _, s in told), key=_watermark)
        return ChainStatus(
            chain.name,
            busy=max((self._share(each, "busy_seconds") for each, _ in told), default=0.0),
            backpressured=max(
                (self._share(each, "backpressured_seconds") for each, _ in told), default=0.0
            ),
            watermark_ms=mark,
            held_back_by=slowest.get("held_back_by"),
        )

    def _share(self, subtask: SubtaskId, name: str) -> float:
        """Part of the time between the last two pings."""
        now, before = self._stats[subtask], self._before.get(subtask, {})
        kinds = ("busy_seconds", "backpressured_seconds", "idle_seconds")
        spent = {kind: now.get(kind, 0.0) - before.get(kind, 0.0) for kind in kinds}
        total = sum(spent.values())
        return round(spent[name] / total, 3) if total > 0 else 0.0


def _watermark(stats: Stats) -> float:
    mark = stats.get("watermark_out")
    return float("-inf") if mark is None else float(mark)


def _step(chain: ChainSpec, name: StepName, counters: Mapping[str, int]) -> StepStatus:
    flags = {
        "is_source": int(chain.source is not None and chain.source.name == name),
        "is_sink": int(chain.sink is not None and chain.sink.name == name),
    }
    known = ("rows_in", "rows_out", "late_rows", "dlq_rows", "future_rows")
    values: dict[str, Any] = {field_name: counters.get(field_name, 0) for field_name in known}
    return StepStatus(name, chain.name, chain.parallelism, counters={**counters, **flags}, **values)


def _sum(parts: Iterable[Mapping[StepName, Mapping[str, int]]]) -> Counters:
    total: Counters = {}
    for part in parts:
        for step, counters in part.items():
            mine = total.setdefault(step, {})
            for name, n in counters.items():
                mine[name] = mine.get(name, 0) + n
    return total


def _segments(checkpoint: Checkpoint) -> dict[str, int]:
    states = (state for states in checkpoint.steps.values() for state in states)
    return {ref.key: ref.size for state in states for ref in state.segments}
