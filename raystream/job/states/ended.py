"""Ended: final cleanup, if any, then the outcome; no other state follows."""

from __future__ import annotations

from dataclasses import replace

from raystream.checkpoint.protocol.commit import Committed, NotCommitted
from raystream.checkpoint.protocol.recover import Recovered
from raystream.checkpoint.records import Checkpoint
from raystream.errors import ConfigurationError, RaystreamError
from raystream.ids import SubtaskId
from raystream.job.context import NO_ATTEMPT, JobContext
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

    def enter(self, context: JobContext) -> Step:
        """Start the end; a superseded job sends nothing more, since a newer attempt continues."""
        self._since = context.now
        if self.kind == "superseded":
            return self, self._end(context)
        context.turns.clear()
        if self._final is None:
            refused = context.savepoints.refuse(_too_late(context, self.message))
            return self, [*refused, *_end_subtasks(context), *self._end_if_idle(context)]
        commands = context.serve(context.savepoints.serve_at_the_end(self._final))
        commands += context.in_background(last=True)
        if context.opened == context.attempt:
            commands.append(Ping(context.opened))
        return self, [*commands, *self._end_if_idle(context)]

    def handle(self, context: JobContext, event: JobEvent) -> Step:
        """Handle one event; no event leads out of this state."""
        if isinstance(event, Pong):
            self._told.add(event.subtask)
        commands: list[JobCommand] = []
        match event:
            case ProcedureDone("commit", NotCommitted() | Committed() as outcome):
                context.unresolved = False
                if isinstance(outcome, Committed):
                    context.report.completed(outcome.checkpoint, context.now)
                    if self.kind == "cancelled" and outcome.checkpoint.final:
                        self.kind = "stopped"  # all that was read is committed
            case ProcedureDone("recover", Recovered() as recovered):
                context.take(recovered)
            case CheckpointRequested():
                commands += self._asked(context)
            case SavepointKept() if self._final is not None and not context.savepoints.copying:
                self._since = context.now
                commands += context.in_background()
            case StopRequested(StopKind.CANCEL) if self._final is not None:  # do not wait
                return self, self._end(context)
            case StopRequested() if self._final is not None:  # its savepoint, if requested
                commands += self._asked(context)
        return self, [*commands, *self._end_if_idle(context)]

    def _asked(self, context: JobContext) -> list[JobCommand]:
        """Serve a late request with the last checkpoint."""
        if self._final is None:
            return [*context.savepoints.refuse(_too_late(context, self.message))]
        return context.serve(context.savepoints.serve_at_the_end(self._final))

    def _end_if_idle(self, context: JobContext) -> list[JobCommand]:
        """End unless work is pending; wait without limit for a savepoint of the end."""
        if self._final is not None and context.savepoints.copying:
            return []
        if self._final is None and context.turns.idle and not self._let_go:
            self._let_go = True
            commands: list[JobCommand] = [*context.let_go()]
            if commands:
                return commands
        waited = context.now - self._since
        idle = context.turns.idle and not context.savepoints.busy
        if waited < self._patience and not (idle and self._counted(context, waited)):
            return []
        return self._end(context)

    def _counted(self, context: JobContext, waited: float) -> bool:
        if self._final is None or context.opened != context.attempt or waited >= COUNTERS_LIMIT_S:
            return True
        return self._told >= set(context.spec.plan.subtasks())

    def _end(self, context: JobContext) -> list[JobCommand]:
        self.over = True
        refused = context.savepoints.refuse(_too_late(context, self.message), copies=True)
        self._say_what_was_in_flight(context)
        self._say_that_nobody_answered(context)
        self._judge(context.savepoints.of_the_end, wanted=context.savepoints.wanted_at_the_end)
        outcome: Outcome = context.report.outcome(self.kind, self.message, context.now)
        kept = context.savepoints.of_the_end
        asked = self.kind in {"stopped", "cancelled"}
        by = context.stopped_by if asked else ""
        outcome = replace(outcome, refused=self._refused, ended_by=by)
        return [
            *refused,
            End(replace(outcome, savepoint=kept) if isinstance(kept, str) else outcome),
        ]

    def _say_what_was_in_flight(self, context: JobContext) -> None:
        if self.kind == "cancelled" and not self.message:
            self.message = context.report.in_flight()

    def _say_that_nobody_answered(self, context: JobContext) -> None:
        """Fail a stop during an unfinished recovery: it is unknown what is committed."""
        if self.kind == "stopped" and self._final is None and context.turns.running == "recover":
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


def _end_subtasks(context: JobContext) -> list[JobCommand]:
    """Kill all subtasks, so that they open no further transactions."""
    return [Kill(tuple(context.spec.plan.subtasks()))] if context.opened != NO_ATTEMPT else []


def failed(error: BaseException) -> Ended:
    """The end caused by an error that a restart does not fix."""
    return Ended("failed", str(error), refused=isinstance(error, ConfigurationError))


def _too_late(context: JobContext, message: str) -> RaystreamError:
    what = f"job {context.spec.name} has ended{f': {message}' if message else ''}"
    return RaystreamError(what, what_to_do="start it again, then ask again")
