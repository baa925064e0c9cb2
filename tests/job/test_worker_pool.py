"""Every subtask has one worker, no worker is lost or used twice, whatever happens to them."""

from __future__ import annotations

from typing import Any

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from raystream.ids import SubtaskId
from raystream.job.worker_pool import (
    RESET_SECONDS,
    SPARE_SECONDS,
    EndWorker,
    LocateWorker,
    OpenSubtask,
    PoolCommand,
    ReleaseWorker,
    StartWorker,
    StopWorker,
    WorkerPool,
)

READ, COUNT = SubtaskId("read", 0), SubtaskId("count", 0)
NOWHERE = frozenset[str]()
LONG = 18.0


def started(*subtasks: SubtaskId, node: str = "n1") -> WorkerPool:
    """A pool in which these run, as workers 0, 1, .. on a node."""
    pool = WorkerPool(subtasks=2)
    pool.start_early(subtasks, 0.5)
    open_all(pool, *subtasks)
    for worker in range(len(subtasks)):
        pool.opened(worker, node)
    return pool


def open_all(pool: WorkerPool, *subtasks: SubtaskId, avoid: frozenset[str] = NOWHERE) -> Any:
    return [*pool.vacate(subtasks, avoid), *pool.assign(0.5)]


def test_what_was_started_early_opens_first() -> None:
    pool = WorkerPool(subtasks=2)
    early = pool.start_early([READ, COUNT], 0.5)
    assert early == [StartWorker(0, "read", 0.5), StartWorker(1, "count", 0.5)]
    assert pool.has_early
    assert open_all(pool, READ, COUNT) == [OpenSubtask(0, READ, LONG), OpenSubtask(1, COUNT, LONG)]
    assert not pool.has_early


def test_survivors_are_reset_in_place_and_a_spare_replaces_the_dead() -> None:
    pool = started(READ, COUNT)
    assert pool.want_spare() == [StartWorker(2, "spare", 0.0), LocateWorker(2, LONG)]
    assert pool.want_spare() == []
    pool.located(2, "n2")
    assert pool.kill([COUNT]) == [EndWorker(1)]
    assert open_all(pool, READ, COUNT) == [
        OpenSubtask(0, READ, RESET_SECONDS),
        OpenSubtask(2, COUNT, SPARE_SECONDS),
    ]
    assert pool.want_spare()[0] == StartWorker(3, "spare", 0.0)


def test_a_spare_that_does_not_run_yet_or_on_a_bad_node_is_not_used() -> None:
    for node in ("", "bad"):
        pool = started(READ)
        pool.want_spare()
        pool.located(1, node)
        pool.kill([READ])
        new = [StartWorker(2, "read", 0.5), OpenSubtask(2, READ, LONG)]
        assert open_all(pool, READ, avoid=frozenset({"bad"})) == new


def test_who_is_on_a_bad_node_or_not_wanted_any_more_is_ended() -> None:
    pool = started(READ, COUNT)
    assert pool.vacate([READ], frozenset()) == [EndWorker(1)]
    assert pool.vacate([READ], frozenset({"n1"})) == [EndWorker(0)]
    assert pool.missing == 1


def test_a_survivor_or_spare_that_refuses_is_replaced() -> None:
    pool = started(READ)
    open_all(pool, READ)
    again = [EndWorker(0), StartWorker(1, "read", 0.5), OpenSubtask(1, READ, LONG)]
    assert pool.refused(READ, in_time=True) == again
    assert pool.refused(READ, in_time=True) == [EndWorker(1)]
    assert READ not in pool.assigned


def test_a_new_worker_that_waits_for_its_cpus_is_started_once_more_without() -> None:
    pool = WorkerPool(subtasks=2)
    assert open_all(pool, READ) == [StartWorker(0, "read", 0.5), OpenSubtask(0, READ, LONG)]
    again = [EndWorker(0), StartWorker(1, "read", 0.0), OpenSubtask(1, READ, LONG)]
    assert pool.refused(READ, in_time=False) == again
    assert pool.refused(READ, in_time=False) == [EndWorker(1)]
    assert READ not in pool.assigned


def test_a_machine_where_every_start_takes_long_gets_more_time_with_each_attempt() -> None:
    pool = WorkerPool(subtasks=2)
    given = []
    for _ in range(5):
        given += [one.within for one in open_all(pool, READ) if isinstance(one, OpenSubtask)]
        pool.refused(READ, in_time=False)
        pool.refused(READ, in_time=False)
    assert given == [LONG, 2 * LONG, 4 * LONG, 8 * LONG, 8 * LONG]
    open_all(pool, READ)
    pool.opened(pool.assigned[READ], "node")
    pool.kill([READ])
    [opening] = [one for one in open_all(pool, READ) if isinstance(one, OpenSubtask)]
    assert opening.within == 8 * LONG  # the machine is no less busy now


def test_a_chain_may_be_called_spare() -> None:
    pool, spare = WorkerPool(subtasks=1), SubtaskId("spare", 0)
    open_all(pool, spare)
    assert pool.refused(spare, in_time=True) == [EndWorker(0)]


def test_no_spare_at_the_end_and_all_are_ended() -> None:
    pool = started(READ)
    pool.want_spare()
    assert pool.close() == [StopWorker(0), ReleaseWorker(1)]
    assert pool.want_spare() == []
    assert pool.close() == []


def test_a_process_that_could_not_be_started_is_forgotten() -> None:
    pool = WorkerPool(subtasks=2)
    open_all(pool, READ)
    pool.lost(0)
    assert open_all(pool, READ) == [StartWorker(1, "read", 0.5), OpenSubtask(1, READ, LONG)]


SUBTASKS = [SubtaskId("read", 0), SubtaskId("read", 1), SubtaskId("count", 0)]
NODES = ["n1", "n2"]


class Cluster(RuleBasedStateMachine):
    """Carries out the commands on made-up processes, and lets anything happen to them."""

    def __init__(self) -> None:
        super().__init__()
        self.pool = WorkerPool(len(SUBTASKS))
        self.alive: dict[int, str] = {}  # worker -> its node, once it is known
        self.ever: set[int] = set()
        self.opening: dict[SubtaskId, int] = {}
        self.locating: set[int] = set()
        self.avoid = NOWHERE
        self.over = False

    def do(self, commands: list[PoolCommand]) -> None:
        for command in commands:
            match command:
                case StartWorker(worker):
                    assert worker not in self.ever
                    self.ever.add(worker)
                    self.alive[worker] = ""
                case OpenSubtask(worker, subtask):
                    assert self.alive[worker] not in self.avoid or not self.alive[worker]
                    self.opening[subtask] = worker
                case LocateWorker(worker):
                    self.locating.add(worker)
                case EndWorker(worker) | StopWorker(worker) | ReleaseWorker(worker):
                    del self.alive[worker]
                    self.locating.discard(worker)
                    self.opening = {s: w for s, w in self.opening.items() if w != worker}

    @precondition(lambda self: not self.ever and not self.over)
    @rule()
    def start_early(self) -> None:
        self.do(self.pool.start_early(SUBTASKS, 0.5))

    @precondition(lambda self: not self.over)
    @rule(avoid=st.frozensets(st.sampled_from(NODES), max_size=1), share=st.sampled_from([0.5, 0]))
    def deploy(self, avoid: frozenset[str], share: float) -> None:
        self.avoid = avoid if self.ever else NOWHERE
        self.opening = {}
        self.do(self.pool.vacate(SUBTASKS, self.avoid))
        assert self.pool.missing == len(SUBTASKS) - len(self.pool.assigned)
        self.do(self.pool.assign(share))
        assert set(self.pool.assigned) == set(self.opening) == set(SUBTASKS)

    @precondition(lambda self: self.opening)
    @rule(data=st.data(), node=st.sampled_from(NODES))
    def opens(self, data: st.DataObject, node: str) -> None:
        subtask = data.draw(st.sampled_from(sorted(self.opening)))
        worker = self.opening.pop(subtask)
        self.alive[worker] = self.alive[worker] or node
        self.pool.opened(worker, self.alive[worker])

    @precondition(lambda self: self.opening)
    @rule(data=st.data(), in_time=st.booleans())
    def refuses(self, data: st.DataObject, in_time: bool) -> None:
        subtask = data.draw(st.sampled_from(sorted(self.opening)))
        tries = 0
        while subtask in self.opening and tries < 5:
            self.do(self.pool.refused(subtask, in_time=in_time))
            tries += 1
        assert tries < 5, "it is tried again for ever"
        assert subtask not in self.pool.assigned

    @precondition(lambda self: self.pool.assigned)
    @rule(data=st.data())
    def dies(self, data: st.DataObject) -> None:
        self.do(self.pool.kill([data.draw(st.sampled_from(sorted(self.pool.assigned)))]))

    @precondition(lambda self: self.ever)
    @rule()
    def wants_a_spare(self) -> None:
        self.do(self.pool.want_spare())

    @precondition(lambda self: self.locating)
    @rule(data=st.data(), node=st.sampled_from(NODES), runs=st.booleans())
    def a_spare_answers(self, data: st.DataObject, node: str, runs: bool) -> None:
        worker = data.draw(st.sampled_from(sorted(self.locating)))
        self.locating.discard(worker)
        if not runs and worker not in self.pool.assigned.values():
            self.do(self.pool.lost(worker))
            return
        self.alive[worker] = self.alive[worker] or node
        self.pool.located(worker, self.alive[worker])

    @rule()
    def ends(self) -> None:
        self.do(self.pool.close())
        self.over = True
        assert not self.alive

    @invariant()
    def no_worker_has_two_subtasks_and_none_is_lost(self) -> None:
        working = list(self.pool.assigned.values())
        assert len(working) == len(set(working))
        assert set(working) <= set(self.alive)
        waiting = len(SUBTASKS) if self.pool.has_early else 0
        assert len(self.alive) <= len(working) + waiting + 1  # the spare


Cluster.TestCase.settings = settings(max_examples=40, stateful_step_count=25, deadline=None)
TestWorkerPool = Cluster.TestCase
