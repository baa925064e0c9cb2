"""Life of one producer: init, begin, produce, flush with all checks, then dropped without close().

Each transaction has its own producer: two transactions of one producer share (id, producer id,
epoch), and a late EndTxn for the first would commit the half-written second
(kafka-transactions.md 3d).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import suppress
from typing import NoReturn

from raystream.connectors.kafka.clients import (
    ClientError,
    Identity,
    Messages,
    Producer,
    ProducerStatistics,
)
from raystream.connectors.kafka.configs import message_timeout_ms
from raystream.connectors.kafka.failures import PASSING, first_refusal, write_failure
from raystream.connectors.kafka.handle import Handle
from raystream.connectors.kafka.suspects import Times
from raystream.errors import ConfigurationError
from raystream.observe.silence import Silence
from raystream.time.clock import Clock

OPEN_S = 120.0
"""Maximum time of init_transactions, with retries, before the attempt fails."""

SAMPLE_S = 30.0
"""Maximum time for a sample of statistics."""

_TRY_S = 3.0
_IN_TRANSACTION = "InTransaction"
_TIMEOUT_TOO_LARGE = 50
Wanted = Callable[[], bool]
Backlog = Sequence[tuple[Messages, int]]
"""Messages, and the index of the first that is not written yet."""


class Transaction:
    """A transaction, from its opening to its pre-commit. Used by one thread at a time.

    Args:
        tid: Transactional id.
        topic: Topic written to.
        timeout_ms: `transaction.timeout.ms`.
        producer: Creates the producer.
        clock: For ages and time limits.
        wanted: False once the transaction is no longer needed: blocking calls then give up.
        largest: Maximum batch size of the topic in bytes, if known.
    """

    def __init__(
        self,
        tid: str,
        topic: str,
        timeout_ms: int,
        *,
        producer: Callable[[], Producer],
        clock: Clock,
        wanted: Wanted = lambda: True,
        largest: int | None = None,
    ) -> None:
        self.tid = tid
        self.n_records = 0
        self.first_write: float | None = None
        self._topic = topic
        self._timeout_ms = timeout_ms
        self._clock = clock
        self._wanted = wanted
        self._largest = largest
        self._times = Times()
        self._identity: Identity | None = None
        self._producer: Producer | None = producer()

    def open(self) -> Transaction:
        """Fence older instances of the id, learn the identity, begin. Blocking.

        Raises:
            ConfigurationError: the broker does not allow this timeout.
            RaystreamError: no broker answers, or access is refused.
        """
        producer = self._live()
        deadline = self._clock.now() + OPEN_S
        while not self._initialised(producer, deadline):
            pass
        sample = self._sample(producer, lambda found: found.producer_id >= 0)
        self._identity = Identity(self.tid, sample.producer_id, sample.epoch)
        producer.begin_transaction()
        return self

    def write(self, messages: Messages, first: int) -> int:
        """Produce from index `first` on; returns the index of the first that did not fit.

        Raises:
            RaystreamError: the producer refuses a record, such as one that is too large.
        """
        if self.first_write is None:
            self.first_write = self._clock.now()
        try:
            done = self._live().produce(self._topic, messages, first)
        except ClientError as error:
            self._refused(error)
        self.n_records += done - first
        self._times.see(messages, first, done)
        return done

    def poll(self) -> None:
        """Serve callbacks.

        Raises:
            RaystreamError: a record was not delivered.
        """
        producer = self._live()
        self._serve(producer, 0)
        self._check_deliveries(producer)

    def age_s(self) -> float:
        """Seconds since before the first record; 0 if there is none."""
        return 0.0 if self.first_write is None else self._clock.now() - self.first_write

    def silent(self) -> Sequence[Silence]:
        """Brokers that it waits for and that do not answer."""
        producer = self._producer
        return () if producer is None else producer.silent()

    @property
    def limit_s(self) -> float:
        """Age at which the broker aborts it."""
        return self._timeout_ms / 1000

    def pre_commit(self, backlog: Backlog) -> tuple[Handle, tuple[str, ...]]:
        """Write the backlog, flush, check that everything was delivered (rule R1). Blocking.

        `flush() == 0` proves nothing: a rejected record leaves the queue too, and the broker would
        commit the rest. So the delivery errors, and a sample of statistics taken after the flush,
        must both confirm that the transaction is complete and still ours.

        Returns:
            The handle to commit by, and the partitions written.

        Raises:
            RaystreamError: something was not delivered, or the identity changed.
        """
        producer = self._live()
        self._write_all(producer, backlog)
        left = self._flushed(producer)
        self._serve(producer, 0)
        self._check_deliveries(producer)
        if left:
            self._fail(f"{left} records were not delivered in time")
        producer.forget_statistics()
        sample = self._sample(producer, lambda found: True)
        self._check_deliveries(producer)
        found = Identity(self.tid, sample.producer_id, sample.epoch)
        if sample.state != _IN_TRANSACTION or found != self._identity:
            self._fail(f"it is in state {sample.state} as {found}, not {self._identity}")
        written = tuple(f"{self._topic}/{number}" for number in sample.partitions)
        return Handle(found, self._timeout_ms), written

    def abort(self, timeout_s: float) -> None:
        """Abort, if it holds records: only for a transaction that no manifest can ever name."""
        if self.n_records:
            with suppress(ClientError):
                self._live().abort_transaction(timeout_s)
        self.retire()

    def retire(self) -> None:
        """Drop the producer. Never close(): that aborts a pre-committed transaction (R2)."""
        self._producer = None

    def _live(self) -> Producer:
        if self._producer is None:
            text = f"transaction {self.tid} was retired"
            raise RuntimeError(text)
        return self._producer

    def _initialised(self, producer: Producer, deadline: float) -> bool:
        try:
            producer.init_transactions(_TRY_S)
        except ClientError as error:
            if error.code == _TIMEOUT_TOO_LARGE:
                what = f"the broker allows no transaction timeout of {self._timeout_ms} ms"
                advice = (
                    "lower transaction_timeout, or raise the broker's transaction.max.timeout.ms"
                )
                raise ConfigurationError(what, self._topic, advice) from None
            late = self._clock.now() > deadline or not self._wanted()
            if error.fatal or not error.retriable or late:
                self._fail(f"it cannot be opened: {error}", error.name)
            self._serve(producer, 0)  # for statistics: which brokers do not answer
            return False
        return True

    def _write_all(self, producer: Producer, backlog: Backlog) -> None:
        for messages, first in backlog:
            done = first
            while (done := self.write(messages, done)) < len(messages):
                self._serve(producer, 0.05)
                self._check_deliveries(producer)

    def _flushed(self, producer: Producer) -> int:
        deadline = self._clock.now() + message_timeout_ms(self._timeout_ms) / 1000 + 10
        try:
            while left := producer.flush(_TRY_S):
                if self._clock.now() > deadline or not self._wanted():
                    break
        except ClientError as error:
            self._fail(str(error), error.name)
        return left

    def _serve(self, producer: Producer, timeout_s: float) -> None:
        """A fenced producer raises here."""
        try:
            producer.poll(timeout_s)
        except ClientError as error:
            self._fail(str(error), error.name)

    def _sample(
        self, producer: Producer, good: Callable[[ProducerStatistics], bool]
    ) -> ProducerStatistics:
        deadline = self._clock.now() + SAMPLE_S
        while True:
            sample = producer.statistics()
            if sample is not None and good(sample):
                return sample
            if self._clock.now() > deadline or not self._wanted():
                self._fail("the producer does not tell its identity")
            self._serve(producer, 0.02)

    def _check_deliveries(self, producer: Producer) -> None:
        refusal = first_refusal(producer.delivery_errors())
        if refusal is not None:
            refusal = self._times.placed(refusal, self._clock.wall_ms())
            self._fail(f"records were not delivered: {refusal}", refusal.name)

    def _refused(self, error: ClientError) -> NoReturn:
        """Why a producer became unusable: its events say so, not its refusal."""
        producer = self._live()
        with suppress(ClientError):
            producer.poll(0)
        told = first_refusal(producer.delivery_errors())
        name, text = (error.name, str(error)) if told is None else (told.name, str(told))
        self._fail(f"a record was refused: {text}", name)

    def _fail(self, reason: str, name: str = "CLIENT") -> NoReturn:
        what = f"{reason} (transaction {self.tid})" if name in PASSING else reason
        raise write_failure(what, f"topic {self._topic}", name, self._largest) from None
