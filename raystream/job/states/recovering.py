"""Recovering: take an attempt number, seal the log, finish what it names (recovery 1-3)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from raystream.checkpoint.protocol.procedure import Procedure
from raystream.checkpoint.protocol.recover import Recovered, recover
from raystream.checkpoint.protocol.restore import from_scratch, restore
from raystream.job.life import Life
from raystream.job.messages import (
    Died,
    Failure,
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
    """Waits for `recover`, then for `restore` if a start from nothing was asked for."""

    name = "recovering"

    def enter(self, life: Life) -> Step:
        """Every recovery is a new attempt with a new number, under a fresh nonce."""
        life.recoveries += 1
        nonce = f"{life.nonce}-{life.recoveries}"
        return self, [*life.turns.add("recover", lambda: _recover(life, nonce))]

    def handle(self, life: Life, event: JobEvent) -> Step:
        """Survivors of the last attempt go on being pinged: their leases must not run out."""
        match event:
            case Tick():
                return self, life.pings()
            case ProcedureDone("recover", Recovered() as recovered):
                life.take(recovered)
                return self._recovered(life, recovered)
            case ProcedureDone("restore", Recovered() as recovered):
                life.take(recovered)
                life.restored = True
                return deploying.Deploying(), []
            case ProcedureFailed("recover" | "restore", exception):
                failure = Failure(INFRASTRUCTURE, one_line(exception))
                return failing.Failing([(None, failure)]), []
            case Died(subtask, _, failure):
                return self, failing.kill_of(life, {subtask: failure})
            case StopRequested(StopKind.STOP):  # nothing runs that could be committed
                return ended.Ended("stopped"), []
        return self, []

    def _recovered(self, life: Life, recovered: Recovered) -> Step:
        if life.wants_restore():
            return self, [*life.turns.add("restore", lambda: _restore(life, recovered))]
        if life.ended_by_base():
            return ended.Ended(life.natural_end(), committed=True), []
        return deploying.Deploying(), []


def _recover(life: Life, nonce: str) -> Procedure[Recovered]:
    if life.recovered is None:
        return recover(nonce, accept_loss=life.spec.accept_loss)
    return recover_again(life.owner, life.nonce, nonce)


def _restore(life: Life, recovered: Recovered) -> Procedure[Recovered]:
    savepoint = life.savepoint
    if savepoint is None:
        return from_scratch(recovered)
    job: Mapping[str, Any] = savepoint.job
    return restore(recovered, life.spec.savepoint or "", savepoint.steps, job)


def one_line(exception: BaseException) -> str:
    """An exception for people."""
    text = str(exception).strip().splitlines()
    return f"{type(exception).__name__}: {text[0]}" if text else type(exception).__name__
