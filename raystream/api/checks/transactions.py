"""Transactions of jobs on the brokers, compared with checkpoint storage.

To classify an open transaction both are needed: the brokers know that it is open, and a manifest
without `done` names it if its output is part of a checkpoint (kafka-transactions.md 8).
"""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from raystream.connectors.traits import cluster_of
from raystream.errors import ConfigurationError, RaystreamError, StorageError

if TYPE_CHECKING:
    from raystream.checkpoint.records import Committable
    from raystream.connectors.kafka.connection import Kafka
    from raystream.connectors.kafka.inspection import KafkaPythonInspection
    from raystream.connectors.kafka.transactional_id import TransactionalId
    from raystream.connectors.kafka.transactions import Held, TransactionDetails
    from raystream.storage.log_view import LogView

_FENCE_TRIES = 40
_PAUSE_S = 0.25
_HANGING_PAUSE_S = 2.0
"""Seconds between two looks: a transaction that was just being ended is gone by the second."""


@dataclass(frozen=True, slots=True)
class Where:
    """Where to look.

    Args:
        clusters: Kafka clusters, with the security to use.
        storage: Checkpoint storage, or None: unknown.
        jobs: Job as written in transactional ids -> its name in the storage, if they differ
            (`transactional_id_prefix`).
        topics: Topics that the pipeline writes, if a pipeline is known.
    """

    clusters: tuple[Kafka, ...]
    storage: str | None = None
    jobs: Mapping[str, str] = field(default_factory=dict)
    topics: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Seen:
    """A transaction and what is known of it.

    Args:
        details: As the brokers describe it.
        id: Its name in parts.
        view: The log of its job; None: not in this storage, or no storage is known.
        named: Its entry in the newest checkpoint, until that is done.
        trouble: Why the storage could not be read.
    """

    details: TransactionDetails
    id: TransactionalId
    view: LogView | None = None
    named: Committable | None = None
    trouble: str = ""

    def fate(self) -> str:
        """What will happen to it, in words."""
        if not self.details.open:
            return "ended"
        if self.named is not None and self.view is not None:
            return f"named by checkpoint {self.view.checkpoint} (slot {self.view.slot})"
        if self.trouble or self.view is None:
            return "storage unknown"
        if self.view.ended or self.view.sealed_by > self.id.attempt:
            return "stray of a dead attempt"
        return "of the newest attempt"


def where_of(pipeline: Any, storage: str) -> Where:
    """Where to find the transactions of a pipeline.

    Args:
        pipeline: With Kafka sinks.
        storage: Its checkpoint storage.

    Raises:
        ConfigurationError: it writes to no Kafka topic.
    """
    sinks = [sink for sink in _sinks(pipeline) if cluster_of(sink) is not None]
    if not sinks:
        what = f"{pipeline.name} writes to no Kafka topic: it has no transactions"
        raise ConfigurationError(what)
    clusters = {repr(sink.connection.settings().address()): sink.connection for sink in sinks}
    jobs = {f"{sink.transactional_id_prefix}{pipeline.name}": pipeline.name for sink in sinks}
    topics = tuple(dict.fromkeys(topic for sink in sinks for topic in sink.topics))
    return Where(tuple(clusters.values()), storage, jobs, topics)


class Transactions:
    """Transactions of jobs on some clusters; connected until `close`.

    Args:
        where: Where to look.

    Raises:
        RaystreamError: a cluster does not answer.
    """

    def __init__(self, where: Where) -> None:
        self._where = where
        self._stack = ExitStack()
        self._views: dict[str, tuple[LogView | None, str]] = {}
        self._inspections = [self._connect(kafka) for kafka in where.clusters]

    def __enter__(self) -> Transactions:
        """Return itself."""
        return self

    def __exit__(self, *error: object) -> None:
        """Disconnect from the brokers."""
        self._stack.close()

    @property
    def jobs(self) -> Mapping[str, str]:
        """Job as written in transactional ids -> its name, if they differ."""
        return self._where.jobs

    def seen(self, *, every: bool = False) -> list[Seen]:
        """Transactions of raystream; with `every` also those that have ended.

        Raises:
            RaystreamError: a broker does not answer.
        """
        from raystream.connectors.kafka.transactions import OPEN

        found: list[Seen] = []
        for one in self._inspections:
            ids = [tid for tid in one.transaction_ids(() if every else OPEN) if _parsed(tid)]
            found += [self._with_fate(details) for details in one.details(ids)]
        return found if every else [one for one in found if one.details.open]

    def of(self, tid: str) -> Seen:
        """One transaction.

        Raises:
            ConfigurationError: no broker knows it, or it is not raystream's.
        """
        if _parsed(tid) is None:
            what = f"{tid} is not a transaction of raystream"
            raise ConfigurationError(what, what_to_do="see `raystream txn list`")
        for one in self._inspections:
            for details in one.details([tid]):
                return self._with_fate(details)
        raise ConfigurationError(_nobody_knows(tid), what_to_do="see `raystream txn list --all`")

    def hanging(self) -> list[Held]:
        """Transactions that block partitions and that no coordinator will end.

        See KAFKA-12671 and KAFKA-20734. Looks twice: a transaction that is just being ended is not
        counted.
        """
        found: list[Held] = []
        for one in self._inspections:
            suspects = self._suspects(one)
            if suspects:
                time.sleep(_HANGING_PAUSE_S)
                again = self._suspects(one)
                found += [each for each in suspects if any(map(each.same_as, again))]
        return found

    def fence(self, tid: str) -> None:
        """Abort a transaction by InitProducerId: its producer can write no more.

        Raises:
            RaystreamError: the broker fails to do it.
        """
        code = 0
        for one in self._inspections:
            for _ in range(_FENCE_TRIES if one.details([tid]) else 0):
                (code,) = one.fence([tid])
                if not code:
                    return
                time.sleep(_PAUSE_S)
        from raystream.connectors.kafka.answers import name_of

        what = f"{tid} could not be aborted: the broker answers {name_of(code)}"
        raise RaystreamError(what, what_to_do="the job may need WRITE to its TransactionalId")

    def end_hanging(self, one: Held) -> None:
        """Write the abort marker for a hanging transaction.

        Raises:
            ConfigurationError: it may have been committed.
            RaystreamError: the broker refuses.
        """
        from raystream.connectors.kafka.answers import name_of

        place = f"{one.topic}/{one.partition}"
        if not one.never_committed:
            what = (
                f"it may have been committed ({one.coordinator_says()}): to abort it could lose it"
            )
            advice = "start its job again, which writes the missing marker"
            raise ConfigurationError(what, place, advice)
        for inspection in self._inspections:
            if any(map(one.same_as, inspection.held([one.place]))):
                code = inspection.mark(one.open, one.place, commit=False)
                if code:
                    what = f"the broker answers {name_of(code)}"
                    raise RaystreamError(what, place, "it needs ClusterAction on the cluster")

    def forget(self) -> None:
        """Discard what was read of the storage, so that it is read again."""
        self._views.clear()

    def _connect(self, kafka: Kafka) -> KafkaPythonInspection:
        from raystream.connectors.kafka.reach import inspection

        found = inspection(kafka)
        self._stack.callback(found.close)
        return found

    def _suspects(self, one: KafkaPythonInspection) -> list[Held]:
        topics = one.topics(self._where.topics or None).values()
        places = [(topic.name, n) for topic in topics for n in range(len(topic.replicas))]
        held = one.held([place for place in places if not place[0].startswith("__")])
        return [each for each in held if each.hangs]  # unseen ones too: abort refuses them

    def _with_fate(self, details: TransactionDetails) -> Seen:
        from raystream.connectors.kafka.handle import Handle

        parts = _parsed(details.tid)
        assert parts is not None
        view, trouble = self._view(parts)
        named = None
        for committable in view.unfinished if view is not None else ():
            if _is_ours(committable) and Handle.from_text(committable.handle).identity.tid == str(
                parts
            ):
                named = committable
        return Seen(details, parts, view, named, trouble)

    def _view(self, parts: TransactionalId) -> tuple[LogView | None, str]:
        """The log that a transaction belongs to: of its job and of the same store."""
        if parts.job not in self._views:
            self._views[parts.job] = self._looked(parts.job)
        view, trouble = self._views[parts.job]
        if view is not None and view.store_id != parts.store_id:
            return None, ""
        return view, trouble

    def _looked(self, job: str) -> tuple[LogView | None, str]:
        from raystream.storage.log_view import look

        if self._where.storage is None:
            return None, ""
        try:
            return look(self._where.storage, self._where.jobs.get(job, job)), ""
        except (StorageError, ConfigurationError) as error:
            return None, str(error)


def _sinks(pipeline: Any) -> list[Any]:
    sinks = (node.step.sink for node in pipeline.graph().nodes)
    return [sink for sink in sinks if sink is not None]


def _is_ours(committable: Committable) -> bool:
    return committable.handle.startswith("{") and '"tid"' in committable.handle


def _parsed(tid: str) -> TransactionalId | None:
    from raystream.connectors.kafka.transactional_id import parse

    return parse(tid)


def _nobody_knows(tid: str) -> str:
    return f"the brokers know no transaction {tid}, or may not tell"


@dataclass(frozen=True, slots=True)
class Abort:
    """What the person who aborts has confirmed.

    Args:
        not_running: No process of the job is left.
        storage_is_gone: The checkpoint storage of the job no longer exists.
        address: Ray cluster on which to check whether the job runs.
    """

    not_running: bool = False
    storage_is_gone: bool = False
    address: str | None = None


def abort(transactions: Transactions, tids: Sequence[str], confirmed: Abort) -> list[str]:
    """End open transactions that no checkpoint names; either all of them or none.

    A transaction of the newest attempt may only be aborted after the log was sealed as a recovery
    would: then even a job that is running could not name it any more.

    Args:
        transactions: The transactions of the jobs.
        tids: Transactional ids.
        confirmed: What the person has confirmed.

    Returns:
        What was done, one line each.

    Raises:
        ConfigurationError: one of them must not be aborted; nothing was done.
        RaystreamError: storage or brokers fail.
    """
    seen = [transactions.of(tid) for tid in tids]
    still = [one for one in seen if one.details.open]
    for one in still:
        _refuse(one, confirmed)
    for one in {one.id.job: one for one in still if _must_seal(one)}.values():
        assert one.view is not None
        _seal(one.view)
        transactions.forget()
    for one in still:
        again = transactions.of(one.details.tid)
        if again.named is not None:
            raise _named(again)
    for one in still:
        transactions.fence(one.details.tid)
    return [
        f"{one.details.tid}: aborted" if one in still else f"{one.details.tid}: {_ended(one)}"
        for one in seen
    ]


def _ended(one: Seen) -> str:
    return f"is not open ({one.details.state}), nothing to do"


def _must_seal(one: Seen) -> bool:
    view = one.view
    return view is not None and not view.ended and view.sealed_by <= one.id.attempt


def _refuse(one: Seen, confirmed: Abort) -> None:
    if one.details.state != "Ongoing":
        what = f"is in state {one.details.state}: the broker is ending it"
        raise ConfigurationError(what, one.details.tid, "wait, then look again")
    if one.named is not None:
        raise _named(one)
    if one.view is None:
        _refuse_unknown(one, confirmed)
        return
    if confirmed.storage_is_gone:
        what = f"its checkpoint storage is there: {one.view.url}"
        raise ConfigurationError(what, one.details.tid, "leave out --storage-is-gone")
    if not _must_seal(one):
        return
    if _runs(one.view, confirmed.address):
        what = "its job runs"
        raise ConfigurationError(what, one.details.tid, "stop it: that ends its transactions, too")
    if not confirmed.not_running:
        what = f"it is of attempt {one.id.attempt}, the newest of its job, which may be running"
        advice = "start the job again, which ends it; or make sure that none of its processes is"
        raise ConfigurationError(what, one.details.tid, f"{advice} left and pass --not-running")


def _refuse_unknown(one: Seen, confirmed: Abort) -> None:
    if confirmed.storage_is_gone:
        return
    tid, store = one.details.tid, one.id.store_id
    if one.trouble:
        what = f"whether a checkpoint names it cannot be known: {one.trouble}"
        raise ConfigurationError(what, tid, "make the storage readable")
    what = f"whether a checkpoint names it cannot be known: storage {store} of its job is not here"
    advice = "name it with --checkpoint-storage or --file; if it was deleted pass --storage-is-gone"
    raise ConfigurationError(what, tid, advice)


def _named(one: Seen) -> ConfigurationError:
    assert one.view is not None
    assert one.named is not None
    view, named = one.view, one.named
    what = (
        f"checkpoint {view.checkpoint} (slot {view.slot} in {view.url}) names it: to abort it would"
        f" lose {named.n_records} records for {', '.join(named.partitions) or 'its partitions'}"
    )
    return ConfigurationError(what, one.details.tid, "start the job again: it commits it")


def _runs(view: LogView, address: str | None) -> bool:
    """Whether a reachable Ray cluster runs the job of this log."""
    from raystream.runtime.ray.remote_job import RemoteJob

    try:
        found = RemoteJob.find(view.url.rstrip("/").rpartition("/")[2], address)
        return found is not None and found.ask("outcome") is None
    except RaystreamError:
        if address is not None:
            raise
        return False


def _seal(view: LogView) -> None:
    """Take over the log, as the next start of the job would: nothing older can append to it."""
    import secrets

    from raystream.checkpoint.protocol.recover import claim_attempt, seal_log
    from raystream.runtime.procedures import run_procedure
    from raystream.runtime.system_clock import SystemClock
    from raystream.storage.open import open_store

    store, clock = open_store(view.url), SystemClock()
    owner = run_procedure(claim_attempt(secrets.token_hex(8)), store, {}, clock)
    run_procedure(seal_log(owner), store, {}, clock)
