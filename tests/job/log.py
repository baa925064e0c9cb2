"""Reads a machine's events and commands as a protocol log."""

from __future__ import annotations

from typing import Any

from raystream.checkpoint.protocol.commit import Committed
from raystream.checkpoint.protocol.recover import Recovered
from raystream.checkpoint.records import Ack, Checkpoint, Owner
from raystream.ids import SubtaskId
from raystream.job.machine import JobMachine
from raystream.job.messages import (
    Acked,
    Answer,
    Connect,
    Connected,
    Died,
    DiscardSavepoint,
    Drain,
    Dry,
    End,
    Failure,
    JobCommand,
    JobEvent,
    KeepSavepoint,
    Kill,
    NotifyCommitted,
    Open,
    Opened,
    Ping,
    Pong,
    ProcedureDone,
    Publish,
    RunProcedure,
    Start,
    Tick,
    Trigger,
)
from raystream.job.spec import JobSpec
from tests.job.example import spec as example


def say(command: JobCommand) -> str:
    """One command in a few words; status documents are left out (empty)."""
    match command:
        case RunProcedure(_, then):
            return f"run {then}"
        case Open(requests, avoid):
            away = f" avoiding {', '.join(sorted(avoid))}" if avoid else ""
            return f"open {len(requests)} for attempt {requests[0].attempt}{away}"
        case Connect(attempt):
            return f"connect {attempt}"
        case Start(attempt):
            return f"start {attempt}"
        case Trigger(_, barrier):
            return f"trigger {barrier.checkpoint}{' final' if barrier.final else ''}"
        case NotifyCommitted(_, checkpoint):
            return f"notify {checkpoint}"
        case Drain(_, close_windows):
            return f"drain{' and close windows' if close_windows else ''}"
        case Kill(subtasks):
            return f"kill {', '.join(map(str, subtasks))}"
        case End(outcome):
            return f"end {outcome.kind}"
        case Ping(attempt):
            return f"ping {attempt}"
        case KeepSavepoint(_, address, checkpoint):
            return f"keep {checkpoint.number} at {address}"
        case DiscardSavepoint(address):
            return f"discard {address}"
        case Answer(ticket, result):
            return f"answer {ticket}: {result}"
        case Publish():
            return ""


class Log:
    """Drives a machine; every method returns what was ordered, without pings and status."""

    def __init__(self, job: JobSpec | None = None, **changes: Any) -> None:
        self.spec = job or example(**changes)
        self.machine = JobMachine(self.spec, "c0ffee00", "nonce", now=0.0)
        self.now = 0.0
        self.commands: list[JobCommand] = []
        self.head = -1
        self.taken = -1
        self.base: Checkpoint | None = None

    @property
    def state(self) -> str:
        return self.machine.state.name

    @property
    def subtasks(self) -> list[SubtaskId]:
        return self.spec.plan.subtasks()

    def begin(self) -> list[str]:
        return self._said(self.machine.begin())

    def tell(self, *events: JobEvent) -> list[str]:
        """Tell events, one after another."""
        return self._said([c for event in events for c in self.machine.handle(event)])

    def _said(self, commands: list[JobCommand]) -> list[str]:
        self.commands += commands
        words = [say(command) for command in commands if not isinstance(command, Ping)]
        return [word for word in words if word]

    def wait(self, seconds: float) -> list[str]:
        """Time passes in steps of 0.1 s (or less), everybody answers pings."""
        said: list[str] = []
        end = self.now + seconds
        while self.now < end - 1e-9:
            self.now = min(end, self.now + 0.1)
            said += self.tell(*self.pongs(), Tick(self.now))
        return said

    def pongs(self) -> list[JobEvent]:
        return [Pong(s, self.machine.context.opened) for s in self.subtasks]

    # --- the usual course

    def recovered(self, attempt: int | None = None) -> list[str]:
        """`recover` returns the next attempt, sealed."""
        self.taken = self.taken + 1 if attempt is None else attempt
        self.head += 1
        owner = Owner(self.taken, "nonce-1")
        slot = None if self.base is None else self.head - 1
        return self.tell(ProcedureDone("recover", Recovered(owner, self.head, self.base, slot)))

    def opened(self) -> list[str]:
        k = self.machine.context.opened
        return self.tell(*(Opened(s, k, f"address {s}", f"node-{s.index}") for s in self.subtasks))

    def connected(self) -> list[str]:
        k = self.machine.context.opened
        return self.tell(*(Connected(s, k) for s in self.subtasks))

    def deployed(self) -> list[str]:
        return [*self.recovered(), *self.opened(), *self.connected()]

    def idle(self) -> list[str]:
        """What runs in the background returns."""
        said: list[str] = []
        while self.machine.context.turns.running in {"strays", "cleanup"}:
            said += self.tell(ProcedureDone(self.machine.context.turns.running, 0))
        return said

    def running(self) -> Log:
        """A machine in state running, with nothing in the background."""
        self.begin()
        self.deployed()
        self.idle()
        return self

    def acked(self, number: int) -> list[str]:
        k = self.machine.context.opened
        return self.tell(*(Acked(k, Ack(s, number, {})) for s in self.subtasks))

    def commit_returned(self) -> list[str]:
        """The procedure `commit` returns; the log knows what it committed."""
        return self.tell(ProcedureDone("commit", self.committed()))

    def committed(self) -> Committed:
        context = self.machine.context
        number = (self.base.number if self.base else 0) + 1
        final = any(isinstance(c, Trigger) and c.barrier.final for c in self.commands)
        self.base = Checkpoint(context.owner, number, {}, final)
        self.head += 1
        return Committed(self.head, self.base)

    def dry(self) -> list[str]:
        k = self.machine.context.opened
        return self.tell(*(Dry(s, k) for s in self.spec.plan.sources()))

    def died(self, subtask: SubtaskId, kind: str = "died", text: str = "killed") -> list[str]:
        return self.tell(
            Died(subtask, self.machine.context.opened, Failure(kind, text, step="count"))
        )
