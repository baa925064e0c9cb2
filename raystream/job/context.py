"""State shared by all states of a job, and the commands that several of them issue."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from raystream.checkpoint.counters import COUNTERS, counters_in
from raystream.checkpoint.protocol.cleanup import (
    Cleaned,
    abort_attempt,
    abort_strays,
    clean_up,
)
from raystream.checkpoint.protocol.recover import Recovered
from raystream.checkpoint.records import Checkpoint, Owner, Restore
from raystream.ids import StepName, SubtaskId
from raystream.job.facts import without_credentials
from raystream.job.liveness import Liveness
from raystream.job.messages import (
    Answer,
    Died,
    Failure,
    JobCommand,
    KeepSavepoint,
    Ping,
    ProcedureDone,
    RunProcedure,
    StopKind,
)
from raystream.job.outcome import OutcomeKind
from raystream.job.positions import Positions, positions
from raystream.job.report import Report
from raystream.job.restart import RestartPolicy
from raystream.job.savepoints import Savepoints
from raystream.job.spec import JobSpec, RestoreRefs
from raystream.job.turns import Turns
from raystream.plan.physical import PhysicalPlan
from raystream.time.alignment import Groups

NO_ATTEMPT = -1
_LAST_TRIES = 5
"""Tries at the end of a job, when nothing waits for the strays; before, one between two commits."""


RESTARTS = "restarts"
"""Header field: how often the run was restarted before this attempt."""

Base = Checkpoint | Restore
RestoreStates = Callable[[Base, PhysicalPlan], Mapping[SubtaskId, Mapping[StepName, RestoreRefs]]]
"""What each subtask restores (plan.restore); raises ConfigurationError if it does not fit."""


def nothing_to_restore(
    base: Base, plan: PhysicalPlan
) -> Mapping[SubtaskId, Mapping[StepName, RestoreRefs]]:
    """For jobs without state."""
    return {}


@dataclass(slots=True)
class JobContext:
    """Data of a job that outlives its single states.

    Args:
        spec: The job.
        store_id: First 8 hex digits of the uuid of its storage.
        nonce: Random text of this process; each recovery adds its own number to it.
        now: Monotonic seconds, as of the last Tick.
        attempt: The attempt that owns the log; -1 before the first recovery.
        opened: The attempt of the open subtasks; -1 before the first Open.
        new_key: Makes the channel secret of an attempt.
        restore_states: What each subtask restores from a base.
        header: Goes into every checkpoint of this run.
        savepoints: Pending requests for checkpoints and savepoints.
        unresolved: A commit is under way or has failed: the transactions it names must not be
            aborted.
        swept: The attempt in which the segments left by earlier ones were deleted.
        read_to: The sources' positions in the newest completed checkpoint.
    """

    spec: JobSpec
    store_id: str
    nonce: str
    now: float
    report: Report
    liveness: Liveness
    policy: RestartPolicy
    new_key: Callable[[], bytes]
    restore_states: RestoreStates
    header: Mapping[str, Any]
    savepoints: Savepoints
    turns: Turns = field(default_factory=Turns)
    attempt: int = NO_ATTEMPT
    opened: int = NO_ATTEMPT
    first_attempt: int | None = None
    recoveries: int = 0
    recovered: Recovered | None = None
    restored: bool = False
    strays: bool = True
    unresolved: bool = False
    swept: int = NO_ATTEMPT
    stop: StopKind | None = None
    stopped_by: str = ""
    stopped_at: float = 0.0
    suspects: frozenset[str] = frozenset()
    read_to: Positions = field(default_factory=dict)
    groups: Groups = field(default_factory=lambda: Groups({}))
    nodes: dict[SubtaskId, str] = field(default_factory=dict)

    @property
    def owner(self) -> Owner:
        """Our attempt number and nonce in the log."""
        assert self.recovered is not None
        return self.recovered.owner

    def has_read_on(self, base: Checkpoint | Restore | None) -> bool:
        """True if the sources are at other positions than when last asked; takes these over."""
        before, self.read_to = self.read_to, positions(base)
        return self.read_to != before

    def take(self, recovered: Recovered) -> None:
        """Take over the result of a recovery: the log is ours."""
        progress = recovered.base is not None and (
            recovered.base.number > self.report.checkpoint.number
        )
        first = self.first_attempt is None
        if first:
            self.first_attempt = recovered.owner.attempt
        read_on = self.has_read_on(recovered.base)
        if progress and not first:  # the commit that was running at the failure was completed
            self.policy.completed(read_on=read_on)
        self.attempt = recovered.owner.attempt
        self.recovered = recovered
        self.strays, self.unresolved = True, False
        base = recovered.base
        ours = isinstance(base, Checkpoint) and self.of_this_run(base)
        counted = counters_in(base.job) if base is not None and ours else {}
        self.report.recovered(recovered.next_checkpoint - 1, base, counted)
        if first:
            self._count_on(recovered.base)
        if recovered.lost:
            records = sum(one.n_records for one in recovered.lost)
            self.note(f"--accept-loss: continued without {records} records of earlier output")
        if self._came_from_savepoint(recovered.base):
            self.note(f"came from savepoint {without_credentials(self.spec.savepoint or '')}")

    def _count_on(self, base: Base | None) -> None:
        """Count the restarts of an earlier process of this run, and its death as one more."""
        if base is None or not self.spec.run or base.job.get("run") != self.spec.run:
            return
        self.report.restart_count = int(base.job.get(RESTARTS, 0)) + 1
        self.note("the coordinator died and was replaced")

    def header_now(self) -> dict[str, Any]:
        """Header of the checkpoints of this attempt."""
        counted = self.report.counted_before
        return {**self.header, RESTARTS: self.report.restart_count, COUNTERS: counted}

    def note(self, text: str) -> None:
        """Add a note that is shown until the end of the run."""
        if text not in self.report.notes:
            self.report.notes = (*self.report.notes, text)

    def _came_from_savepoint(self, base: Base | None) -> bool:
        return base is not None and bool(self.spec.savepoint) and self.of_this_run(base)

    def ended_by_base(self) -> bool:
        """Whether the base is the final checkpoint of this run: nothing is left to do."""
        base = self.recovered.base if self.recovered else None
        if not isinstance(base, Checkpoint) or not base.final or self.first_attempt is None:
            return False
        return self.of_this_run(base)

    def of_this_run(self, base: Base) -> bool:
        """Whether this run wrote it: one of our attempts, or one of an earlier process of it."""
        ours = self.first_attempt is not None and base.owner.attempt >= self.first_attempt
        return ours or (self.spec.run != "" and base.job.get("run") == self.spec.run)

    @property
    def may_end_now(self) -> bool:
        """Whether a stop while no subtask runs needs no last checkpoint."""
        return not self.savepoints.wanted_at_the_end

    def natural_end(self) -> OutcomeKind:
        """The outcome after the final checkpoint."""
        return "finished" if self.stop is None else "stopped"

    def wants_restore(self) -> bool:
        """Whether a requested start from scratch or from a savepoint is still to be done."""
        if self.restored or not (self.spec.from_scratch or self.spec.savepoint):
            return False
        base = self.recovered.base if self.recovered else None
        return base is None or not self.spec.run or base.job.get("run") != self.spec.run

    def serve(self, orders: Sequence[Answer | KeepSavepoint]) -> list[JobCommand]:
        """Perform these orders of `savepoints`; drop a waiting cleanup while a copy is written."""
        if self.savepoints.copying:
            self.turns.drop("cleanup")
        for order in orders:
            if isinstance(order, KeepSavepoint):
                self.report.keeping(order.checkpoint.number, order.address)
        return [*orders]

    def pings(self) -> list[JobCommand]:
        """A Ping if one is due; also between attempts, or the leases of survivors would expire."""
        if self.opened == NO_ATTEMPT or not self.liveness.ping_due(self.now):
            return []
        return [Ping(self.opened, self.groups.others(self.opened))]

    def silent(self) -> list[Died]:
        """Subtasks over their limit, in the form of reports of their death."""
        return [
            Died(subtask, self.opened, Failure("silent", self._silence(subtask)))
            for subtask in self.liveness.silent(self.now)
        ]

    def _silence(self, subtask: SubtaskId) -> str:
        doing = "not open after" if self.liveness.is_opening(subtask) else "no answer for"
        return f"{doing} {self.liveness.limit(subtask):.0f} s"

    def in_background(self, *, last: bool = False) -> list[RunProcedure]:
        """After a commit or recovery: abort strays while any is left (5), then clean up."""
        owner, keep = self.owner, self.spec.checkpoint.retain
        orphans = self.swept < owner.attempt and owner.attempt > 0  # the first attempt left none
        commands: list[RunProcedure] = []
        if self.strays or last:
            commands += self.turns.add_later(
                "strays", lambda: abort_strays(owner, _LAST_TRIES if last else 1)
            )
        if (self.report.checkpoint.completed or orphans) and not self.savepoints.copying:
            commands += self.turns.add_later(
                "cleanup", lambda: clean_up(owner, keep=keep, orphans=orphans)
            )
        return commands

    def let_go(self) -> list[RunProcedure]:
        """At an end without a last commit: leave no transaction open that readers would wait for.

        Not while the log may name one that must be committed: the next recovery does that.
        """
        if self.recovered is None or self.opened == NO_ATTEMPT or self.unresolved:
            return []
        owner = self.owner
        return self.turns.add("strays", lambda: abort_attempt(owner, _LAST_TRIES))

    def background_done(self, event: ProcedureDone) -> None:
        """Handle the result of strays or cleanup."""
        if event.then == "strays":
            self.strays = bool(event.result)
        elif event.then == "cleanup" and isinstance(event.result, Cleaned) and self.recovered:
            self.swept = self.owner.attempt
