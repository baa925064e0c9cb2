"""Recovering: claim an attempt number, seal the log, finish what it names (recovery 1-3)."""

from __future__ import annotations

from raystream.checkpoint.protocol.procedure import Procedure
from raystream.checkpoint.protocol.recover import Recovered, recover
from raystream.checkpoint.protocol.restore import bring_back, from_scratch, restore
from raystream.checkpoint.records import Checkpoint
from raystream.errors import RaystreamError, told
from raystream.job.context import JobContext
from raystream.job.messages import (
    Died,
    Failure,
    JobCommand,
    JobEvent,
    ProcedureDone,
    ProcedureFailed,
    StopKind,
    StopRequested,
    Tick,
)
from raystream.job.states import deploying, ended, failing
from raystream.job.states.state import Step
from raystream.job.succession import recover_again

INFRASTRUCTURE = "infrastructure"


class Recovering:
    """Wait for `recover`, then for `restore` if a start from elsewhere was requested.

    The state of a savepoint is copied into the job's own storage, and must fit the plan, before the
    log records that the job continues from there.
    """

    name = "recovering"

    def enter(self, context: JobContext) -> Step:
        """Start a recovery; each one is a new attempt with a new number and a new nonce."""
        context.recoveries += 1
        nonce = f"{context.nonce}-{context.recoveries}"
        return self, [*context.turns.add("recover", lambda: _recover(context, nonce))]

    def handle(self, context: JobContext, event: JobEvent) -> Step:
        """Handle one event; keep pinging survivors of the last attempt, or their leases expire."""
        match event:
            case Tick():
                return self, context.pings()
            case ProcedureDone("recover", Recovered() as recovered):
                context.take(recovered)
                return self._recovered(context, recovered)
            case ProcedureDone("bring back", Checkpoint() as savepoint):
                return self._brought_back(context, savepoint)
            case ProcedureDone("restore", Recovered() as recovered):
                context.take(recovered)
                context.restored = True
                return deploying.Deploying(), []
            case ProcedureFailed("recover" | "bring back" | "restore", exception):
                failure = Failure(INFRASTRUCTURE, one_line(exception))
                return failing.Failing([(None, failure)]), []
            case Died(subtask, _, failure):
                return self, failing.kill_of(context, {subtask: failure})
            case StopRequested(StopKind.STOP) if context.may_end_now:  # nothing to commit
                return ended.Ended("stopped"), []
        return self, []

    def _recovered(self, context: JobContext, recovered: Recovered) -> Step:
        if context.wants_restore():
            return self, self._restore(context, recovered)
        base = recovered.base
        commands: list[JobCommand] = []
        if isinstance(base, Checkpoint) and context.of_this_run(base):
            commands += context.savepoints.discard()
        if isinstance(base, Checkpoint) and context.ended_by_base():
            return ended.Ended(context.natural_end(), final=base), commands
        return deploying.Deploying(), commands

    def _restore(self, context: JobContext, recovered: Recovered) -> list[JobCommand]:
        savepoint = context.spec.savepoint
        if savepoint is None:
            return [*context.turns.add("restore", lambda: from_scratch(recovered))]
        return [*context.turns.add("bring back", lambda: bring_back(recovered, savepoint))]

    def _brought_back(self, context: JobContext, savepoint: Checkpoint) -> Step:
        recovered = context.recovered
        assert recovered is not None
        try:
            context.restore_states(savepoint, context.spec.plan)
        except RaystreamError as error:  # nothing has changed yet
            return ended.failed(error), []
        job = {**savepoint.job, "run": context.spec.run}
        address = context.spec.savepoint or ""
        return self, [
            *context.turns.add("restore", lambda: restore(recovered, address, savepoint.steps, job))
        ]


def _recover(context: JobContext, nonce: str) -> Procedure[Recovered]:
    if context.recovered is None:
        return recover(nonce, accept_loss=context.spec.accept_loss)
    return recover_again(context.owner, context.nonce, nonce)


def one_line(exception: BaseException) -> str:
    """One line of text for an exception."""
    return told(exception)
