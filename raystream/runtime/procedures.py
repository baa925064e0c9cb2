"""Run procedures of the commit protocol: each command is one call, and a named point."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from typing import Any, TypeVar

from raystream.checkpoint.codec import decode, encode
from raystream.checkpoint.protocol.commands import (
    Abort,
    AbortStrays,
    BringBack,
    CheckPrepared,
    Commit,
    Create,
    Delete,
    ListKeys,
    Read,
    Sleep,
)
from raystream.checkpoint.protocol.procedure import Command, Procedure
from raystream.checkpoint.records import Checkpoint, Committable, Record, older
from raystream.checkpoint.verdicts import AbortVerdict, Problem, Put, Verdict
from raystream.connectors.base import Committer
from raystream.context import Points, nowhere
from raystream.errors import ConfigurationError, StorageError
from raystream.ids import StepName
from raystream.storage.base import Store
from raystream.storage.open import is_store, open_store
from raystream.storage.savepoints import bring_back
from raystream.time.clock import Clock

T = TypeVar("T")
R = TypeVar("R")

Sleeper = Callable[[float], None]

STORAGE_TRIES = 8
"""Tries of a failing storage read, 0.1 s, 0.2 s, 0.4 s .. apart: 12 s in all."""


class StorageUnavailable(Exception):  # noqa: N818 - an outage, not a fault of the job
    """Storage cannot be read for now: an infrastructure fault, retried without limit."""


def run_procedure(
    procedure: Procedure[T],
    store: Store,
    committers: Mapping[StepName, Committer],
    clock: Clock,
    *,
    point: Points = nowhere,
    sleep: Sleeper = time.sleep,
) -> T:
    """Run a procedure to its end. Blocking.

    Args:
        procedure: A new procedure.
        store: Storage of the job's records.
        committers: Sink step -> its phase two; a sink without one never makes committables.
        clock: For the answer of Sleep.
        point: Called with the name of each command before it is performed, and with
            `<name> done` after; tests kill there.
        sleep: Waits this many seconds; may raise to end a procedure that only waits.

    Returns:
        What the procedure returns.

    Raises:
        Superseded, OutputLost, JobFailed: raised by the procedure.
        ConfigurationError: a checkpoint names transactions of a sink that is not in the plan, or
            there is no savepoint at the given address.
        StorageError: a record is damaged.
        StorageUnavailable: storage could not be read or listed for a while.
    """
    world = _World(store, committers, clock, sleep)
    try:
        command = next(procedure)
        while True:
            point(command.name)
            answer = world.perform(command)
            point(f"{command.name} done")
            command = procedure.send(answer)
    except StopIteration as stop:
        result: T = stop.value
        return result
    finally:
        procedure.close()


def confirm_storage(store: Store, identity: str, sleep: Sleeper) -> None:
    """Refuse to recover from a storage that was emptied: the job would write everything again.

    Args:
        store: Where the job's records live.
        identity: Its id when the run began.
        sleep: Waits this many seconds.

    Raises:
        StorageError: it is another one now.
        StorageUnavailable: it could not be read for a while.
    """
    if not _insist(lambda: is_store(store, identity), sleep):
        what = (
            "this is not the checkpoint storage that the run began with: it was removed or replaced"
        )
        advice = "put it back from a copy; without it the job starts from nothing and writes again"
        raise StorageError(what, store.url, advice)


def _insist(call: Callable[[], R], sleep: Sleeper) -> R:
    """Retry an idempotent call while storage cannot be reached."""
    for attempt in range(STORAGE_TRIES):
        try:
            return call()
        except StorageError as error:
            last = error
        sleep(0.1 * 2**attempt if attempt < STORAGE_TRIES - 1 else 0.0)
    raise StorageUnavailable(str(last)) from last


class _World:
    """Maps each command to a call."""

    def __init__(
        self,
        store: Store,
        committers: Mapping[StepName, Committer],
        clock: Clock,
        sleep: Sleeper,
    ) -> None:
        self._store = store
        self._committers = committers
        self._clock = clock
        self._sleep = sleep
        self._table: dict[type[Command[Any]], Callable[[Any], Any]] = {
            Create: self._create,
            Read: self._read,
            ListKeys: self._list,
            Delete: self._delete,
            CheckPrepared: self._check,
            Commit: self._commit,
            Abort: self._abort,
            AbortStrays: self._abort_strays,
            BringBack: self._bring_back,
            Sleep: self._wait,
        }

    def perform(self, command: Command[R]) -> R:
        answer: R = self._table[type(command)](command)
        return answer

    def _create(self, command: Create) -> Put:
        try:
            return self._store.create(command.key, encode(command.record))
        except StorageError:
            return Put.UNKNOWN  # the procedure repeats it until the outcome is known (V5)

    def _read(self, command: Read) -> Record | None:
        data = self._insist(lambda: self._store.get(command.key))
        return None if data is None else decode(command.key, data)

    def _list(self, command: ListKeys) -> tuple[str, ...]:
        return tuple(self._insist(lambda: self._store.list(command.prefix)))

    def _delete(self, command: Delete) -> None:
        self._insist(lambda: self._store.delete(command.keys))

    def _check(self, command: CheckPrepared) -> tuple[Problem, ...]:
        waited = 0.0 if command.at is None else self._clock.now() - command.at
        groups = self._by_sink([older(one, waited) for one in command.committables])
        return tuple(problem for committer, cs in groups for problem in committer.check(cs))

    def _commit(self, command: Commit) -> tuple[Verdict, ...]:
        return self._each(command.committables, lambda committer, cs: committer.commit(cs))

    def _abort(self, command: Abort) -> tuple[AbortVerdict, ...]:
        return self._each(command.committables, lambda committer, cs: committer.abort(cs))

    def _abort_strays(self, command: AbortStrays) -> int:
        return sum(each.abort_strays(command.before) for each in self._committers.values())

    def _bring_back(self, command: BringBack) -> Checkpoint:
        return bring_back(open_store(command.address), self._store, command.attempt)

    def _wait(self, command: Sleep) -> float:
        self._sleep(command.seconds)
        return self._clock.now()

    def _insist(self, call: Callable[[], R]) -> R:
        return _insist(call, self._sleep)

    def _each(
        self,
        committables: Sequence[Committable],
        call: Callable[[Committer, list[Committable]], Sequence[R]],
    ) -> tuple[R, ...]:
        """Answers in the order of the committables, whichever sinks they belong to."""
        answers: dict[Committable, R] = {}
        for committer, mine in self._by_sink(committables):
            answers |= zip(mine, call(committer, mine), strict=True)
        return tuple(answers[one] for one in committables)

    def _by_sink(
        self, committables: Sequence[Committable]
    ) -> list[tuple[Committer, list[Committable]]]:
        groups: dict[StepName, list[Committable]] = {}
        for one in committables:
            groups.setdefault(one.sink, []).append(one)
        return [(self._committer(sink), mine) for sink, mine in groups.items()]

    def _committer(self, sink: StepName) -> Committer:
        if sink not in self._committers:
            what = f"the last checkpoint has open transactions of step {sink!r}, which is gone"
            advice = "run the job once with this sink in place, then remove it"
            raise ConfigurationError(what, what_to_do=advice)
        return self._committers[sink]
