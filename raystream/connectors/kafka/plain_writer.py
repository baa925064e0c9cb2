"""Write rows without transactions: at least once, or without any guarantee."""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence
from concurrent.futures import Future
from contextlib import suppress
from typing import NoReturn

import polars as pl

from raystream.checkpoint.records import Committable
from raystream.connectors.kafka.clients import ClientError, Messages, Producer
from raystream.connectors.kafka.configs import MESSAGE_TIMEOUT_MS
from raystream.connectors.kafka.failures import first_refusal, write_failure
from raystream.connectors.kafka.outgoing import ToMessages
from raystream.connectors.kafka.payload_size import payload_bytes
from raystream.connectors.kafka.suspects import Times
from raystream.context import SubtaskContext
from raystream.observe.metrics import NULLED
from raystream.observe.silence import Silence

POLL_S = 0.2
_BUSY_POLL_S = 0.005
_LAST_FLUSH_S = 2.0
_TRY_S = 3.0


class PlainKafkaWriter:
    """`connectors.base.SinkWriter` with an idempotent producer and no committables.

    Args:
        ctx: Identity, the background executor, counters.
        topic: Topic written to.
        to_messages: Rows -> messages.
        producer: Idempotent, not transactional.
        sure: at_least_once: a checkpoint waits until all is delivered, an error fails the attempt.
            Otherwise nothing waits, and errors are counted as `delivery_errors`.
        largest: Maximum batch size of the topic in bytes, if known.
    """

    def __init__(
        self,
        ctx: SubtaskContext,
        topic: str,
        to_messages: ToMessages,
        producer: Producer,
        *,
        sure: bool,
        largest: int | None = None,
    ) -> None:
        self._ctx = ctx
        self._topic = topic
        self._to_messages = to_messages
        self._producer = producer
        self._sure = sure
        self._largest = largest
        self._times = Times()
        self._backlog: deque[tuple[Messages, int]] = deque()
        self._flushing: Future[Committable | None] | None = None
        self._counted = 0
        self._closed = False

    def write(self, frame: pl.DataFrame) -> None:
        """Write these rows; what does not fit the queue waits.

        Raises:
            RaystreamError: a record was refused, or (at_least_once) not delivered.
        """
        if frame.height:
            messages = self._to_messages(frame)
            self._ctx.count("bytes_out", payload_bytes(messages.values))
            self._ctx.count(NULLED, messages.nulled)
            self._backlog.append((messages, 0))
            self._advance()

    def has_room(self) -> bool:
        """False while rows wait."""
        self._advance()
        return not self._backlog and self._flushing is None

    def prepare(self, checkpoint: int, *, final: bool) -> Future[Committable | None]:
        """Flush in the background; there is never anything to commit."""
        self._advance()
        backlog = tuple(self._backlog)
        self._backlog.clear()
        future = self._ctx.background.submit(self._flush, backlog, wait=self._sure or final)
        future.add_done_callback(lambda _: self._ctx.wake())
        self._flushing = future
        return future

    def committed(self, checkpoint: int) -> None:
        """Nothing to do."""

    def oldest_transaction_age_s(self) -> float:
        """Return 0: it opens no transaction on a broker."""
        return 0.0

    def silent(self) -> Sequence[Silence]:
        """Brokers that do not accept the queued records."""
        return self._producer.silent()

    def poll(self, now: float) -> float | None:
        """Serve callbacks; returns when to be called again.

        Raises:
            RaystreamError: a record was not delivered (at_least_once).
        """
        self._advance()
        return now + (_BUSY_POLL_S if self._backlog else POLL_S)

    def close(self) -> None:
        """Wait briefly for records in flight."""
        self._closed = True
        if self._flushing is None:
            with suppress(ClientError):
                self._producer.flush(_LAST_FLUSH_S)

    def _advance(self) -> None:
        if self._flushing is not None:
            if not self._flushing.done():
                return
            flushing, self._flushing = self._flushing, None
            flushing.result()
        while self._backlog:
            messages, first = self._backlog.popleft()
            done = self._produce(messages, first)
            if done < len(messages):
                self._backlog.appendleft((messages, done))
                break
        self._serve(0)
        self._check()

    def _produce(self, messages: Messages, first: int) -> int:
        try:
            done = self._producer.produce(self._topic, messages, first)
            self._times.see(messages, first, done)
            return done
        except ClientError as error:
            self._fail(f"a record was refused: {error}", error.name)

    def _flush(
        self, backlog: tuple[tuple[Messages, int], ...], *, wait: bool
    ) -> Committable | None:
        for messages, first in backlog:
            done = first
            while (done := self._produce(messages, done)) < len(messages):
                self._serve(0.05)
                self._check()
        if wait:
            left = self._flushed()
            self._check()
            if left and self._sure:
                self._fail(f"{left} records were not delivered in time")
        return None

    def _flushed(self) -> int:
        deadline = self._ctx.clock.now() + MESSAGE_TIMEOUT_MS / 1000 + 10
        try:
            while left := self._producer.flush(_TRY_S):
                if self._closed or self._ctx.clock.now() > deadline:
                    break
        except ClientError as error:
            self._fail(str(error), error.name)
        return left

    def _serve(self, timeout_s: float) -> None:
        try:
            self._producer.poll(timeout_s)
        except ClientError as error:
            self._fail(str(error), error.name)

    def _check(self) -> None:
        refusal = first_refusal(self._producer.delivery_errors())
        if refusal is not None and self._sure:
            refusal = self._times.placed(refusal, self._ctx.clock.wall_ms())
            self._fail(f"records were not delivered: {refusal}", refusal.name)
        undelivered = self._producer.undelivered()
        if undelivered > self._counted:
            self._ctx.count("delivery_errors", undelivered - self._counted)
            self._counted = undelivered

    def _fail(self, reason: str, name: str = "CLIENT") -> NoReturn:
        raise write_failure(reason, f"topic {self._topic}", name, self._largest) from None
