"""Recovering: claim an attempt number, seal the log, finish what it names (recovery 1-3)."""

from __future__ import annotations

from raystream.checkpoint.protocol.procedure import Procedure
from raystream.checkpoint.protocol.recover import Recovered, recover
from raystream.checkpoint.protocol.restore import bring_back, from_scratch, restore
from raystream.checkpoint.records import Checkpoint
from raystream.errors import RaystreamError, told
from raystream.job.life import Life
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

    def enter(self, life: Life) -> Step:
        """Start a recovery; each one is a new attempt with a new number and a new nonce."""
        life.recoveries += 1
        nonce = f"{life.nonce}-{life.recoveries}"
        return self, [*life.turns.add("recover", lambda: _recover(life, nonce))]

    def handle(self, life: Life, event: JobEvent) -> Step:
        """Handle one event; keep pinging survivors of the last attempt, or their leases expire."""
        match event:
            case Tick():
                return self, life.pings()
            case ProcedureDone("recover", Recovered() as recovered):
                life.take(recovered)
                return self._recovered(life, recovered)
            case ProcedureDone("bring back", Checkpoint() as savepoint):
                return self._brought_back(life, savepoint)
            case ProcedureDone("restore", Recovered() as recovered):
                life.take(recovered)
                life.restored = True
                return deploying.Deploying(), []
            case ProcedureFailed("recover" | "bring back" | "restore", exception):
                failure = Failure(INFRASTRUCTURE, one_line(exception))
                return failing.Failing([(None, failure)]), []
            case Died(subtask, _, failure):
                return self, failing.kill_of(life, {subtask: failure})
            case StopRequested(StopKind.STOP) if life.may_end_now:  # nothing runs to be committed
                return ended.Ended("stopped"), []
        return self, []

    def _recovered(self, life: Life, recovered: Recovered) -> Step:
        if life.wants_restore():
            return self, self._restore(life, recovered)
        base = recovered.base
        commands: list[JobCommand] = []
        if isinstance(base, Checkpoint) and life.of_this_run(base):
            commands += life.savepoints.discard()
        if isinstance(base, Checkpoint) and life.ended_by_base():
            return ended.Ended(life.natural_end(), final=base), commands
        return deploying.Deploying(), commands

    def _restore(self, life: Life, recovered: Recovered) -> list[JobCommand]:
        savepoint = life.spec.savepoint
        if savepoint is None:
            return [*life.turns.add("restore", lambda: from_scratch(recovered))]
        return [*life.turns.add("bring back", lambda: bring_back(recovered, savepoint))]

    def _brought_back(self, life: Life, savepoint: Checkpoint) -> Step:
        recovered = life.recovered
        assert recovered is not None
        try:
            life.restore_states(savepoint, life.spec.plan)
        except RaystreamError as error:  # nothing has changed yet
            return ended.failed(error), []
        job = {**savepoint.job, "run": life.spec.run}
        address = life.spec.savepoint or ""
        return self, [
            *life.turns.add("restore", lambda: restore(recovered, address, savepoint.steps, job))
        ]


def _recover(life: Life, nonce: str) -> Procedure[Recovered]:
    if life.recovered is None:
        return recover(nonce, accept_loss=life.spec.accept_loss)
    return recover_again(life.owner, life.nonce, nonce)


def one_line(exception: BaseException) -> str:
    """One line of text for an exception."""
    return told(exception)
