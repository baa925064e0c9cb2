"""Ended: final cleanup, if any, then the outcome; no other state follows."""

from __future__ import annotations

from dataclasses import replace

from raystream.checkpoint.protocol.commit import Committed, NotCommitted
from raystream.checkpoint.protocol.recover import Recovered
from raystream.checkpoint.records import Checkpoint
from raystream.errors import ConfigurationError, RaystreamError
from raystream.ids import SubtaskId
from raystream.job.life import NO_ATTEMPT, Life
from raystream.job.messages import (
    CheckpointRequested,
    End,
    JobCommand,
    JobEvent,
    Kill,
    Ping,
    Pong,
    ProcedureDone,
    SavepointKept,
    StopKind,
    StopRequested,
)
from raystream.job.outcome import Outcome, OutcomeKind
from raystream.job.states.state import Step

TIDY_LIMIT_S = 10.0
"""How long the end waits for the running procedure, seconds: recovery handles what is left."""

UNRECOVERED = (
    "there is no last commit: the job was recovering, and its storage or a broker did not answer; "
    "the next run continues from the last checkpoint that is there"
)

HOPELESS_LIMIT_S = 3.0
"""The same limit if that procedure waits for storage that does not answer, seconds."""

COUNTERS_LIMIT_S = 1.0
"""How long the end waits for the last counters of the subtasks, seconds."""


class Ended:
    """The end of a run.

    Args:
        kind: The outcome.
        message: For people.
        final: The last checkpoint, committed: strays are aborted once more, the last counters
            requested, and savepoints of it written for all requests. None: the subtasks are killed,
            the running procedure finishes, and open transactions of this attempt are aborted.
        refused: The job as written cannot run.
        tidy: Storage answers, so it is worth waiting for the running procedure.
    """

    name = "ended"

    def __init__(
        self,
        kind: OutcomeKind,
        message: str = "",
        *,
        final: Checkpoint | None = None,
        refused: bool = False,
        tidy: bool = True,
    ) -> None:
        self._patience = TIDY_LIMIT_S if tidy else HOPELESS_LIMIT_S
        self.kind = kind
        self.message = message
        self.over = False
        self._final = final
        self._refused = refused
        self._since = 0.0
        self._told: set[SubtaskId] = set()
        self._let_go = False

    def enter(self, life: Life) -> Step:
        """Start the end; a superseded job sends nothing more, since a newer attempt continues."""
        self._since = life.now
        if self.kind == "superseded":
            return self, self._end(life)
        life.turns.clear()
        if self._final is None:
            refused = life.savepoints.refuse(_too_late(life, self.message))
            return self, [*refused, *_end_subtasks(life), *self._end_if_idle(life)]
        commands = life.serve(life.savepoints.serve_at_the_end(self._final))
        commands += life.in_background(last=True)
        if life.opened == life.attempt:
            commands.append(Ping(life.opened))
        return self, [*commands, *self._end_if_idle(life)]

    def handle(self, life: Life, event: JobEvent) -> Step:
        """Handle one event; no event leads out of this state."""
        if isinstance(event, Pong):
            self._told.add(event.subtask)
        commands: list[JobCommand] = []
        match event:
            case ProcedureDone("commit", NotCommitted() | Committed() as outcome):
                life.unresolved = False
                if isinstance(outcome, Committed):
                    life.report.completed(outcome.checkpoint, life.now)
                    if self.kind == "cancelled" and outcome.checkpoint.final:
                        self.kind = "stopped"  # all that was read is committed
            case ProcedureDone("recover", Recovered() as recovered):
                life.take(recovered)
            case CheckpointRequested():
                commands += self._asked(life)
            case SavepointKept() if self._final is not None and not life.savepoints.copying:
                self._since = life.now
                commands += life.in_background()
            case StopRequested(StopKind.CANCEL) if self._final is not None:  # do not wait
                return self, self._end(life)
            case StopRequested() if self._final is not None:  # its savepoint, if requested
                commands += self._asked(life)
        return self, [*commands, *self._end_if_idle(life)]

    def _asked(self, life: Life) -> list[JobCommand]:
        """Serve a late request with the last checkpoint."""
        if self._final is None:
            return [*life.savepoints.refuse(_too_late(life, self.message))]
        return life.serve(life.savepoints.serve_at_the_end(self._final))

    def _end_if_idle(self, life: Life) -> list[JobCommand]:
        """End unless work is pending; wait without limit for a savepoint of the end."""
        if self._final is not None and life.savepoints.copying:
            return []
        if self._final is None and life.turns.idle and not self._let_go:
            self._let_go = True
            commands: list[JobCommand] = [*life.let_go()]
            if commands:
                return commands
        waited = life.now - self._since
        idle = life.turns.idle and not life.savepoints.busy
        if waited < self._patience and not (idle and self._counted(life, waited)):
            return []
        return self._end(life)

    def _counted(self, life: Life, waited: float) -> bool:
        if self._final is None or life.opened != life.attempt or waited >= COUNTERS_LIMIT_S:
            return True
        return self._told >= set(life.spec.plan.subtasks())

    def _end(self, life: Life) -> list[JobCommand]:
        self.over = True
        refused = life.savepoints.refuse(_too_late(life, self.message), copies=True)
        self._say_what_was_in_flight(life)
        self._say_that_nobody_answered(life)
        self._judge(life.savepoints.of_the_end, wanted=life.savepoints.wanted_at_the_end)
        outcome: Outcome = life.report.outcome(self.kind, self.message, life.now)
        kept = life.savepoints.of_the_end
        asked = self.kind in {"stopped", "cancelled"}
        by = life.stopped_by if asked else ""
        outcome = replace(outcome, refused=self._refused, ended_by=by)
        return [
            *refused,
            End(replace(outcome, savepoint=kept) if isinstance(kept, str) else outcome),
        ]

    def _say_what_was_in_flight(self, life: Life) -> None:
        if self.kind == "cancelled" and not self.message:
            self.message = life.report.in_flight()

    def _say_that_nobody_answered(self, life: Life) -> None:
        """Fail a stop during an unfinished recovery: it is unknown what is committed."""
        if self.kind == "stopped" and self._final is None and life.turns.running == "recover":
            self.kind = "failed"
            self.message = UNRECOVERED

    def _judge(self, savepoint: str | RaystreamError | None, *, wanted: bool) -> None:
        """Fail a stop whose savepoint could not be written, even though it did commit."""
        if not wanted or isinstance(savepoint, str) or self.kind in {"failed", "superseded"}:
            return
        if self._final is None:
            self.message = f"{self.message or self.kind}; no savepoint was taken"
            return
        self.kind = "failed"
        self.message = (
            f"the job ended and committed checkpoint {self._final.number}, but no savepoint of it "
            f"was written: {savepoint}"
        )


def _end_subtasks(life: Life) -> list[JobCommand]:
    """Kill all subtasks, so that they open no further transactions."""
    return [Kill(tuple(life.spec.plan.subtasks()))] if life.opened != NO_ATTEMPT else []


def failed(error: BaseException) -> Ended:
    """The end caused by an error that a restart does not fix."""
    return Ended("failed", str(error), refused=isinstance(error, ConfigurationError))


def _too_late(life: Life, message: str) -> RaystreamError:
    what = f"job {life.spec.name} has ended{f': {message}' if message else ''}"
    return RaystreamError(what, what_to_do="start it again, then ask again")
