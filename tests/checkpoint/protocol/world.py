"""A small world for the protocol: a store, a transaction coordinator (table 3c), attempts.

Every command of a procedure is performed here, one at a time; who is next, what crashes, which
answer is lost and which put lands late is decided by the test.
"""

from __future__ import annotations

from collections.abc import Callable, Generator, Sequence
from dataclasses import dataclass, field
from enum import Enum
from typing import Any

from raystream.checkpoint.protocol.cleanup import abort_strays, clean_up
from raystream.checkpoint.protocol.commands import (
    Abort,
    AbortStrays,
    CheckPrepared,
    Commit,
    Create,
    Delete,
    ListKeys,
    Read,
    Sleep,
)
from raystream.checkpoint.protocol.commit import NotCommitted, commit_checkpoint
from raystream.checkpoint.protocol.procedure import Command, ask
from raystream.checkpoint.protocol.recover import Recovered, recover
from raystream.checkpoint.records import (
    Checkpoint,
    Committable,
    Record,
    Rollback,
    SegmentRef,
    StoredState,
)
from raystream.checkpoint.verdicts import AbortVerdict, Problem, Put, Verdict


class Violation(Exception):  # noqa: N818
    """The world saw something that must never happen."""


class State(Enum):
    EMPTY = "empty"
    ONGOING = "ongoing"
    COMMITTED = "complete commit"
    ABORTED = "complete abort"


@dataclass
class Transaction:
    """What the transaction coordinator knows of one transactional id."""

    epoch: int = 0
    state: State = State.EMPTY
    records: list[int] = field(default_factory=list)


@dataclass(frozen=True)
class Init(Command[int]):
    """init_transactions; the answer is the epoch."""

    tid: tuple[int, int, int]  # attempt, subtask, place in the rotation
    name: str = "init"


@dataclass(frozen=True)
class Produce(Command[bool]):
    """Write records into the open transaction; False: fenced."""

    tid: tuple[int, int, int]
    epoch: int
    records: tuple[int, ...]
    name: str = "produce"


@dataclass
class World:
    """Everything that outlives a process.

    Args:
        n_records: Input records 0, 1, ..
        timeouts: Whether transactions may time out in this run: then a loss that is told, and a
            rollback, are no violation.
    """

    n_records: int = 4
    timeouts: bool = False
    objects: dict[str, Record] = field(default_factory=dict)
    late: list[tuple[str, Record]] = field(default_factory=list)
    sent: list[Committable] = field(default_factory=list)
    named: set[str] = field(default_factory=set)
    newest_slot: str = ""
    ids: dict[tuple[int, int, int], Transaction] = field(default_factory=dict)
    visible: list[int] = field(default_factory=list)
    given_up: set[int] = field(default_factory=set)
    forgot: bool = False
    pids: int = 0
    now: float = 0.0
    story: list[str] = field(default_factory=list)

    def perform(self, command: Command[Any]) -> Any:
        """Carry the command out, entirely and at once."""
        match command:
            case Create(key, record):
                return self.create(key, record)
            case Read(key):
                return self.objects.get(key)
            case ListKeys(prefix):
                return tuple(sorted(key for key in self.objects if key.startswith(prefix)))
            case Delete(keys):
                for key in keys:
                    self.objects.pop(key, None)
                return None
            case CheckPrepared(committables):
                return tuple(Problem(c, "gone") for c in committables if not self.is_open(c))
            case Commit(committables):
                return tuple(map(self.commit, committables))
            case Abort(committables):
                return tuple(map(self.abort, committables))
            case AbortStrays(before):
                return self.abort_strays(before)
            case Sleep(seconds):
                self.now += seconds
                return self.now
            case Init(tid):
                return self.init(tid)
            case Produce(tid, epoch, records):
                return self.produce(tid, epoch, records)
        raise AssertionError(command)

    # --- store

    def create(self, key: str, record: Record) -> Put:
        if key in self.objects:
            return Put.EXISTS
        self.objects[key] = record
        if key.startswith("m-"):
            # a late put on a slot that was deleted meanwhile names nothing any more (V2)
            if isinstance(record, Checkpoint) and key > self.newest_slot:
                self.named |= {c.handle for c in record.committables()}
            self.newest_slot = max(self.newest_slot, key)
        if isinstance(record, Rollback) and not self.timeouts:
            raise Violation(f"rollback of slot {record.slot} though nothing timed out")
        return Put.CREATED

    def land(self, index: int) -> None:
        """A put with unknown outcome arrives after all."""
        self.create(*self.late.pop(index))

    # --- transactions

    def init(self, tid: tuple[int, int, int]) -> int:
        if tid not in self.ids:  # a fresh producer id: no handle of it was ever given out
            self.pids += 1
            self.ids[tid] = Transaction(epoch=1000 * self.pids - 1)
        entry = self.ids[tid]
        self.forbid_abort_of_named(tid, entry, "init")
        entry.epoch += 1
        entry.state, entry.records = State.EMPTY, []
        return entry.epoch

    def produce(self, tid: tuple[int, int, int], epoch: int, records: Sequence[int]) -> bool:
        entry = self.ids.get(tid)
        if entry is None or entry.epoch != epoch:
            return False
        entry.state = State.ONGOING
        entry.records = [*entry.records, *records]
        return True

    def is_open(self, one: Committable) -> bool:
        tid, epoch = parse(one.handle)
        entry = self.ids.get(tid)
        return entry is not None and (entry.epoch, entry.state) == (epoch, State.ONGOING)

    def commit(self, one: Committable) -> Verdict:
        tid, epoch = parse(one.handle)
        self.sent.append(one)
        entry = self.ids.get(tid)
        if entry is None:
            return Verdict.UNKNOWN
        if entry.epoch != epoch:
            return Verdict.LOST  # 90
        if entry.state is State.ONGOING:
            if one.handle not in self.named:
                raise Violation(f"{one.handle} committed, named by no manifest")
            entry.state = State.COMMITTED
            self.visible += entry.records
        return Verdict.COMMITTED if entry.state is State.COMMITTED else Verdict.LOST  # 48

    def abort(self, one: Committable) -> AbortVerdict:
        tid, epoch = parse(one.handle)
        entry = self.ids.get(tid)
        if entry is None:
            return AbortVerdict.PARTLY_COMMITTED
        if entry.epoch != epoch:
            return AbortVerdict.ABORTED
        if entry.state is State.ONGOING:
            self.forbid_abort_of_named(tid, entry, "rollback")
            entry.state = State.ABORTED
        return (
            AbortVerdict.ABORTED if entry.state is State.ABORTED else AbortVerdict.PARTLY_COMMITTED
        )

    def abort_strays(self, before: int) -> int:
        for tid, entry in self.ids.items():
            if tid[0] < before and entry.state is State.ONGOING:
                self.forbid_abort_of_named(tid, entry, "strays", always=True)
                entry.epoch += 1
                entry.state = State.ABORTED
        return 0

    def time_out(self, tid: tuple[int, int, int]) -> None:
        """The broker aborts an open transaction by itself."""
        self.ids[tid].epoch += 1
        self.ids[tid].state = State.ABORTED

    def forget(self, tid: tuple[int, int, int]) -> None:
        """The broker drops an id that was not used for 7 days."""
        if self.ids[tid].state is not State.ONGOING:
            self.forgot = True
            del self.ids[tid]

    def forbid_abort_of_named(
        self, tid: tuple[int, int, int], entry: Transaction, why: str, *, always: bool = False
    ) -> None:
        named = f"{tid}/{entry.epoch}" in self.named
        if named and entry.state is State.ONGOING and (always or not self.timeouts):
            raise Violation(f"{why} aborted {tid}, which a manifest names")

    # --- the verdict

    def check(self) -> None:
        """Nothing twice; nothing missing but what was given up by accepting the loss."""
        twice = sorted({r for r in self.visible if self.visible.count(r) > 1})
        if twice:
            raise Violation(f"twice: {twice}")
        missing = set(range(self.n_records)) - set(self.visible)
        told_wrongly = self.given_up & set(self.visible)
        if told_wrongly and not self.forgot:
            raise Violation(f"told as lost, but committed: {sorted(told_wrongly)}")
        if missing - self.given_up:
            raise Violation(f"missing: {sorted(missing - self.given_up)}")


def parse(handle: str) -> tuple[tuple[int, int, int], int]:
    """Transactional id and epoch in a handle."""
    tid, _, epoch = handle.rpartition("/")
    attempt, subtask, place = map(int, tid.strip("()").split(","))
    return (attempt, subtask, place), int(epoch)


Process = Generator[Command[Any], Any, str]


def attempt(world: World, nonce: str, *, accept: bool = False, sinks: int = 2) -> Process:
    """One attempt of a job: reads records two at a time, writes each through one of the sinks."""
    recovered: Recovered = yield from recover(nonce, accept_loss=accept)
    world.given_up |= {r for c in recovered.lost for r in records_of(c)}
    k, head, number = recovered.owner.attempt, recovered.head, recovered.next_checkpoint
    position = 0
    if recovered.base is not None and recovered.base.steps:
        position = recovered.base.steps["read"][0].header["position"]
    epochs: dict[tuple[int, int, int], int] = {}
    for subtask in range(sinks):
        for place in range(2):
            epochs[k, subtask, place] = yield from ask(Init((k, subtask, place)))
    yield from abort_strays(recovered.owner)
    yield from clean_up(recovered.owner, orphans=True)
    finished = recovered.finished
    while not finished:
        records = range(position, min(position + 2, world.n_records))
        position = records.stop
        finished = position >= world.n_records
        committables: list[Committable | None] = []
        for subtask in range(sinks):
            mine = tuple(r for r in records if r % sinks == subtask)
            tid = (k, subtask, number % 2)
            if not mine:
                committables.append(None)
                continue
            if not (yield from ask(Produce(tid, epochs[tid], mine))):
                return "failed"
            where = tuple(f"out/{r}" for r in mine)
            handle = f"{tid}/{epochs[tid]}"
            committables.append(Committable("write", subtask, len(mine), where, handle))
        key = f"state/a{k}/count/0/{k}-{number}.arrow"
        steps = {
            "read": (StoredState({"position": position}),),
            "count": (StoredState(segments=(SegmentRef(f"{k}-{number}", key, 1, "x"),)),),
            "write": tuple(StoredState(committable=c) for c in committables),
        }
        checkpoint = Checkpoint(recovered.owner, number, steps, finished)
        outcome = yield from commit_checkpoint(head + 1, checkpoint)
        if isinstance(outcome, NotCommitted):
            return "failed"
        head, number = head + 1, number + 1
        for one in checkpoint.committables():  # 8
            tid = parse(one.handle)[0]
            epochs[tid] = yield from ask(Init(tid))
        yield from clean_up(recovered.owner)
        yield from abort_strays(recovered.owner)
    return "finished"


def records_of(one: Committable) -> list[int]:
    """The input records that a committable holds."""
    return [int(name.removeprefix("out/")) for name in one.partitions]


Performer = Callable[[World, Command[Any]], Any]


def honest(world: World, command: Command[Any]) -> Any:
    """Perform as the world does."""
    return world.perform(command)


@dataclass
class Runner:
    """One process: a generator and the command that it waits for."""

    process: Process
    name: str
    waiting: Command[Any] | None = None
    result: str | BaseException | None = None

    def __post_init__(self) -> None:
        self.advance(None)

    @property
    def alive(self) -> bool:
        return self.result is None

    def advance(self, answer: Any) -> None:
        """Give the process its answer; it continues to its next command, or ends."""
        try:
            self.waiting = self.process.send(answer)
        except StopIteration as stop:
            self.result, self.waiting = stop.value, None
        except Violation:
            raise
        except Exception as error:  # noqa: BLE001 - an outcome to be judged
            self.result, self.waiting = error, None

    def crash(self) -> None:
        self.process.close()
        self.result, self.waiting = "crashed", None

    def step(self, world: World, perform: Performer = honest) -> None:
        """Perform the command that waits."""
        assert self.waiting is not None
        command = self.waiting
        answer = perform(world, command)
        world.story.append(f"{self.name} {command.name} -> {answer}")
        self.advance(answer)

    def run(self, world: World, perform: Performer = honest, limit: int = 2000) -> None:
        """To its end."""
        for _ in range(limit):
            if not self.alive:
                return
            self.step(world, perform)
        raise Violation(f"{self.name} does not come to an end")
