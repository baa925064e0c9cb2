"""Ended: the last tidying up, if there is any, then the outcome; nothing comes after it."""

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
"""So long the end waits for the procedure that runs: recovery finds whatever is left."""

UNRECOVERED = (
    "there is no last commit: the job was recovering, and its storage or a broker did not answer; "
    "the next run continues from the last checkpoint that is there"
)

HOPELESS_LIMIT_S = 3.0
"""... if that waits for storage that is away."""

COUNTERS_LIMIT_S = 1.0
"""So long it waits for the last counters of the subtasks."""


class Ended:
    """How the run ends.

    Args:
        kind: The outcome.
        message: For people.
        final: The last checkpoint, committed: strays are aborted once more, the last counters
            asked for, and savepoints written of it for all who asked. None: the subtasks are
            ended, what runs comes to its end, and open transactions of this attempt are aborted.
        refused: The job as written cannot run.
        tidy: Storage is there: it is worth while to wait for what runs.
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
        """Superseded sends nothing more: a newer attempt continues from here."""
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
        """Whatever happens now changes nothing any more."""
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
            case StopRequested(StopKind.CANCEL) if self._final is not None:  # wait for nothing
                return self, self._end(life)
            case StopRequested() if self._final is not None:  # its savepoint, if it wants one
                commands += self._asked(life)
        return self, [*commands, *self._end_if_idle(life)]

    def _asked(self, life: Life) -> list[JobCommand]:
        """The last checkpoint serves also who asks after it."""
        if self._final is None:
            return [*life.savepoints.refuse(_too_late(life, self.message))]
        return life.serve(life.savepoints.serve_at_the_end(self._final))

    def _end_if_idle(self, life: Life) -> list[JobCommand]:
        """A savepoint of the end is waited for as long as it takes."""
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
        """A stop during a recovery that did not come to its end: nobody knows what is committed."""
        if self.kind == "stopped" and self._final is None and life.turns.running == "recover":
            self.kind = "failed"
            self.message = UNRECOVERED

    def _judge(self, savepoint: str | RaystreamError | None, *, wanted: bool) -> None:
        """A stop whose savepoint could not be written has failed, though it did commit."""
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
    """Whoever is gone opens no further transaction."""
    return [Kill(tuple(life.spec.plan.subtasks()))] if life.opened != NO_ATTEMPT else []


def failed(error: BaseException) -> Ended:
    """The end by an error that a restart does not cure."""
    return Ended("failed", str(error), refused=isinstance(error, ConfigurationError))


def _too_late(life: Life, message: str) -> RaystreamError:
    what = f"job {life.spec.name} has ended{f': {message}' if message else ''}"
    return RaystreamError(what, what_to_do="start it again, then ask again")
