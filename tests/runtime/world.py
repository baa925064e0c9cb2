"""A world in memory for the control loop: subtasks that read numbers, a broker, a store."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import Executor, Future
from dataclasses import dataclass, field
from typing import Any

from raystream.checkpoint.barrier import Barrier
from raystream.checkpoint.codec import decode
from raystream.checkpoint.keys import ATTEMPTS, DONES, SLOTS, number_of
from raystream.checkpoint.records import (
    Ack,
    Checkpoint,
    Committable,
    Record,
    Restore,
    StoredState,
)
from raystream.checkpoint.verdicts import AbortVerdict, Problem, Verdict
from raystream.connectors.base import Committer, CommitterContext
from raystream.context import Points, nowhere
from raystream.ids import SubtaskId
from raystream.job.messages import (
    Acked,
    Address,
    Connected,
    Died,
    Dry,
    Failure,
    Opened,
    Pong,
    StopKind,
)
from raystream.job.outcome import Outcome
from raystream.job.spec import CheckpointSettings, JobSpec, OpenRequest, RestoreRefs
from raystream.plan.physical import PhysicalPlan
from raystream.runtime.control import ControlLoop, Inbox
from raystream.storage.memory import MemoryStore
from raystream.time.clock import VirtualClock
from tests.job.example import plan, spec

TOTAL = 20


class Inline(Executor):
    """Runs everything where it is asked for."""

    def submit(self, fn: Callable[..., Any], /, *args: Any, **kwargs: Any) -> Future[Any]:
        future: Future[Any] = Future()
        try:
            future.set_result(fn(*args, **kwargs))
        except BaseException as error:
            future.set_exception(error)
        return future


class Crash(BaseException):
    """The process of the coordinator ends here."""


@dataclass
class Broker:
    """Transactions: open, then committed (visible, once) or aborted."""

    open: dict[str, list[tuple[int, int]]] = field(default_factory=dict)
    output: list[tuple[int, int]] = field(default_factory=list)
    final: dict[str, Verdict] = field(default_factory=dict)

    def commit(self, handle: str) -> Verdict:
        if handle in self.open:
            self.output += self.open.pop(handle)
            self.final[handle] = Verdict.COMMITTED
        return self.final[handle]

    def abort(self, handle: str) -> None:
        if self.open.pop(handle, None) is not None:
            self.final[handle] = Verdict.LOST


@dataclass
class FakeCommitter:
    broker: Broker
    closed: bool = False

    def check(self, committables: Sequence[Committable]) -> list[Problem]:
        return [Problem(c, "not open") for c in committables if c.handle not in self.broker.open]

    def commit(self, committables: Sequence[Committable]) -> list[Verdict]:
        return [self.broker.commit(c.handle) for c in committables]

    def abort(self, committables: Sequence[Committable]) -> list[AbortVerdict]:
        for c in committables:
            self.broker.abort(c.handle)
        return [AbortVerdict.ABORTED for _ in committables]

    def abort_strays(self, before_attempt: int) -> int:
        for handle in [h for h in self.broker.open if int(h.split(".")[0]) < before_attempt]:
            self.broker.abort(handle)
        return 0

    def close(self) -> None:
        self.closed = True


class FakeWorkers:
    """Source i reads 0, 1, .. and gives each to sink i at once; all of one attempt.

    Args:
        inbox: Where events go.
        broker: What the sinks write to.
        fail_at: Number of the call after which a subtask dies (0-based), once.
    """

    def __init__(self, inbox: Inbox, broker: Broker, fail_at: int = -1) -> None:
        self._post = inbox.post
        self._broker = broker
        self._fail_at = fail_at
        self.calls: list[str] = []
        self.notified: list[int] = []
        self.closed = False
        self._attempt = -1
        self._started = self._told_dry = self._draining = self._final = False
        self._subtasks: list[SubtaskId] = []
        self._next: list[int] = []
        self._handles: list[str] = []

    def _called(self, name: str) -> None:
        if len(self.calls) == self._fail_at:
            self._started = False
            failure = Failure("died", "killed by a test")
            self._post(Died(SubtaskId("count", 0), self._attempt, failure))
        self.calls.append(name)

    def work(self) -> None:
        """Every source reads one number."""
        if not self._started:
            return
        for index, number in enumerate(self._next):
            if self._handles[index] in self._broker.final:
                self._started = False
                fenced = Failure("infrastructure", "producer fenced")
                self._post(Died(SubtaskId("count", index), self._attempt, fenced))
                return
            if number < TOTAL and not self._draining:
                self._broker.open[self._handles[index]].append((index, number))
                self._next[index] += 1
        over = self._draining or all(number >= TOTAL for number in self._next)
        if over and not self._told_dry:
            self._told_dry = True
            for subtask in self._subtasks:
                if subtask.chain == "read":
                    self._post(Dry(subtask, self._attempt))

    # --- Workers

    def open(self, requests: Sequence[OpenRequest], avoid: frozenset[str]) -> None:
        self._attempt = requests[0].attempt
        self._started = self._told_dry = self._draining = self._final = False
        self._subtasks = [request.subtask for request in requests]
        reads = [request for request in requests if request.subtask.chain == "read"]
        self._next = [
            request.restore["read"].states[0].header["next"] if "read" in request.restore else 0
            for request in reads
        ]
        for subtask in self._subtasks:
            self._post(Opened(subtask, self._attempt, str(subtask), "here"))
        self._begin(0)
        self._called("open")

    def _begin(self, checkpoint: int) -> None:
        names = [f"{self._attempt}.{index}.{checkpoint}" for index in range(len(self._next))]
        self._handles = names
        self._broker.open |= {name: [] for name in names}

    def connect(self, attempt: int, addresses: Mapping[SubtaskId, Address]) -> None:
        for subtask in self._subtasks:
            self._post(Connected(subtask, attempt))
        self._called("connect")

    def start(self, attempt: int) -> None:
        self._started = True
        self._called("start")

    def trigger(self, attempt: int, barrier: Barrier) -> None:
        number = barrier.checkpoint
        for subtask in self._subtasks:
            steps = {subtask.chain: StoredState({})}
            if subtask.chain == "read":
                steps = {"read": StoredState({"next": self._next[subtask.index]})}
            else:
                steps["write"] = self._prepare(subtask.index)
            self._post(Acked(attempt, Ack(subtask, number, steps)))
        self._begin(number)
        self._called("trigger")

    def _prepare(self, index: int) -> StoredState:
        handle = self._handles[index]
        n = len(self._broker.open[handle])
        committable = Committable("write", index, n, (f"out/{index}",), handle) if n else None
        return StoredState({}, (), committable)

    def notify_committed(self, attempt: int, checkpoint: int) -> None:
        self.notified.append(checkpoint)
        self._called("notify")

    def drain(self, attempt: int, *, close_windows: bool) -> None:
        self._draining = True
        self._called("drain")

    def ping(self, attempt: int, others: Mapping[SubtaskId, int]) -> None:
        for subtask in self._subtasks:
            steps = {}
            if subtask.chain == "read":
                steps = {"read": {"rows_out": self._next[subtask.index]}}
            self._post(Pong(subtask, attempt, {"steps": steps}))

    def kill(self, subtasks: Sequence[SubtaskId]) -> None:
        self._started = False
        self._called("kill")

    def close(self) -> None:
        self.closed = True


def restore_by_index(
    base: Checkpoint | Restore, physical: PhysicalPlan
) -> dict[SubtaskId, dict[str, RestoreRefs]]:
    """Every subtask gets its own state again."""
    return {
        subtask: {
            step: RestoreRefs((states[subtask.index],), redistribute=False)
            for step, states in base.steps.items()
            if (step == "read") == (subtask.chain == "read")
        }
        for subtask in physical.subtasks()
        if base.steps
    }


class World:
    """Broker, store and clock outlive every coordinator."""

    def __init__(self, **changes: Any) -> None:
        self.broker = Broker()
        self.store = MemoryStore()
        self.clock = VirtualClock()
        self.committers: list[FakeCommitter] = []
        settings = CheckpointSettings("memory://", interval=0.04, retain=1000)
        values = {"bounded": True, "checkpoint": settings, **changes}
        self.spec: JobSpec = spec(plan=plan(2, self._committer), **values)
        self.workers: FakeWorkers

    def _committer(self, ctx: CommitterContext) -> Committer:
        self.committers.append(FakeCommitter(self.broker))
        return self.committers[-1]

    def coordinator(
        self, *, fail_at: int = -1, point: Points = nowhere, background: Executor | None = None
    ) -> ControlLoop:
        inbox = Inbox()
        self.workers = FakeWorkers(inbox, self.broker, fail_at)
        return ControlLoop(
            self.spec,
            self.workers,
            self.store,
            self.clock,
            background or Inline(),
            inbox=inbox,
            point=point,
            sleep=self.clock.advance,
            restore_states=restore_by_index,
            header={},
        )

    def drive(self, loop: ControlLoop, stop: StopKind | None = None) -> Outcome:
        """Run to the end, everything in this thread."""
        for turn in range(5000):
            self.workers.work()
            loop.step()
            if stop is not None and turn == 10:
                loop.request_stop(stop)
            if loop.outcome is not None:
                return loop.outcome
            self.clock.advance(0.01)
        raise AssertionError(loop.status)

    # --- what must hold

    def records(self, prefix: str) -> dict[int, Record]:
        found = {}
        for key in self.store.list(prefix):
            data = self.store.get(key)
            assert data is not None
            found[number_of(prefix, key)] = decode(key, data)
        return found

    def assert_exact(self) -> None:
        """Every number once per source, in order."""
        for index in range(2):
            mine = [number for source, number in self.broker.output if source == index]
            assert mine == list(range(TOTAL))

    def assert_log(self) -> None:
        """Slots contiguous, attempts never decrease, numbers count by one, each has `done`."""
        log = self.records(SLOTS)
        assert sorted(log) == list(range(len(log)))
        attempts = [log[slot].owner.attempt for slot in sorted(log)]
        assert attempts == sorted(attempts)
        checkpoints = {s: r for s, r in sorted(log.items()) if isinstance(r, Checkpoint)}
        assert [r.number for r in checkpoints.values()] == list(range(1, len(checkpoints) + 1))
        assert set(checkpoints) == set(self.records(DONES))
        assert list(checkpoints.values())[-1].final
        taken = self.records(ATTEMPTS)
        assert sorted(taken) == list(range(len(taken)))
        assert len({record.owner.nonce for record in taken.values()}) == len(taken)
