"""Write rows exactly once: a current transaction, a standby, pre-commit in the background.

During a checkpoint `prepare` hands over the current transaction to be flushed and checked, rows
wait until that is done (rule R14: order per partition), then go to the standby; `committed` builds
the next standby on the next id of the rotation.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Sequence
from concurrent.futures import Future
from typing import TypeVar

import polars as pl

from raystream.checkpoint.records import Committable
from raystream.connectors.kafka.clients import Messages
from raystream.connectors.kafka.outgoing import ToMessages
from raystream.connectors.kafka.payload_size import payload_bytes
from raystream.connectors.kafka.transaction import Backlog, Transaction, Wanted
from raystream.connectors.kafka.transactional_id import ROTATION
from raystream.context import SubtaskContext
from raystream.errors import RaystreamError
from raystream.observe.metrics import NULLED, TRANSACTIONS
from raystream.observe.safety import TransactionStatus
from raystream.observe.silence import Silence, longest

_T = TypeVar("_T")

POLL_S = 0.2
_BUSY_POLL_S = 0.005
_ABORT_S = 2.0

MakeTransaction = Callable[[int, Wanted], Transaction]
"""Creates the transaction at a place of the rotation, opened while it is wanted; blocking."""


class KafkaSinkWriter:
    """`connectors.base.SinkWriter`, exactly once.

    Args:
        ctx: Identity, the clock, the background executor, the named points.
        to_messages: Rows -> messages.
        make_transaction: Creates the transaction of a place 0..2 of the rotation.
    """

    def __init__(
        self,
        ctx: SubtaskContext,
        to_messages: ToMessages,
        make_transaction: MakeTransaction,
    ) -> None:
        self._ctx = ctx
        self._to_messages = to_messages
        self._make_transaction = make_transaction
        self._opened: dict[int, Transaction] = {}
        self._closed = False
        self._final = False
        self._backlog: deque[tuple[Messages, int]] = deque()
        self._current: Transaction | None = None
        self._opening: Future[Transaction] | None = self._submit(self._open, 0)
        self._standby: Future[Transaction] | None = self._submit(self._open, 1)
        self._next_place = 2
        self._sealing: Future[Committable | None] | None = None
        self._sealed: Transaction | None = None
        self._uncommitted: Transaction | None = None
        self._begun = False

    def write(self, frame: pl.DataFrame) -> None:
        """Write these rows; what does not fit the queue waits.

        Raises:
            RaystreamError: a record was refused or not delivered.
        """
        if frame.height:
            messages = self._to_messages(frame)
            self._ctx.count("bytes_out", payload_bytes(messages.values))
            self._ctx.count(NULLED, messages.nulled)
            self._backlog.append((messages, 0))
            self._advance()

    def has_room(self) -> bool:
        """False while rows wait: the transaction is not open yet, or its queue is full."""
        self._advance()
        return not self._backlog and self._current is not None

    def prepare(self, checkpoint: int, *, final: bool) -> Future[Committable | None]:
        """Pre-commit in the background; None if nothing was written since the last one.

        Raises:
            RaystreamError: the standby of the last checkpoint was never requested.
        """
        self._advance()
        if not self._backlog and (self._current is None or not self._current.n_records):
            empty: Future[Committable | None] = Future()
            empty.set_result(None)
            return empty
        opening = self._opening
        if opening is None or self._standby is None:
            what = f"checkpoint {checkpoint} begins before the last one was committed"
            raise RaystreamError(what, str(self._ctx.subtask))
        self._begin()  # if it gets its first rows while it is sealed
        self._begun = False
        self._final = final
        self._uncommitted = _result(opening)
        backlog = tuple(self._backlog)
        self._backlog.clear()
        self._current, self._opening, self._standby = None, self._standby, None
        self._sealing = self._submit(self._seal, opening, backlog)
        return self._sealing

    def committed(self, checkpoint: int) -> None:
        """Phase two is done: drop the old producer, build the next standby."""
        self._uncommitted = None
        if self._standby is None and not self._final:
            place, self._next_place = self._next_place, (self._next_place + 1) % ROTATION
            sealed, self._sealed = self._sealed, None
            self._standby = self._submit(self._re_init, place, sealed)

    def poll(self, now: float) -> float | None:
        """Serve callbacks; returns when to be called again, on the context's clock.

        Raises:
            RaystreamError: a record was not delivered, or a transaction could not be opened.
        """
        self._advance()
        standby = _result(self._standby)
        if standby is not None:
            standby.poll()
        return now + (_BUSY_POLL_S if self._backlog else POLL_S)

    def oldest_transaction_age_s(self) -> float:
        """Seconds since before the first record of the open transaction."""
        return 0.0 if self._current is None else self._current.age_s()

    def transactions(self) -> Sequence[TransactionStatus]:
        """The current transaction, and the one that waits for its commit."""
        states = (("open", self._current), ("prepared", self._uncommitted))
        return [
            TransactionStatus(
                transaction.tid,
                self._ctx.step,
                self._ctx.subtask.index,
                state,
                transaction.n_records,
                transaction.age_s(),
                transaction.limit_s,
            )
            for state, transaction in states
            if transaction is not None and transaction.n_records
        ]

    def silent(self) -> Sequence[Silence]:
        """Brokers that do not accept rows, or do not open the next transaction."""
        return longest(each for t in list(self._opened.values()) for each in t.silent())

    def close(self) -> None:
        """Abort what was never prepared; a prepared transaction is only dropped (R2)."""
        self._closed = True
        self._backlog.clear()
        for future in (self._opening, self._standby):
            if future is not None and future.done() and future.exception() is None:
                future.result().abort(_ABORT_S)
        for transaction in (self._current, self._sealed):
            if transaction is not None:
                transaction.retire()
        self._current, self._opening, self._standby, self._sealed = None, None, None, None
        self._uncommitted = None
        self._opened = {}

    def _advance(self) -> None:
        if self._sealing is not None:
            if not self._sealing.done():
                return
            sealing, self._sealing = self._sealing, None
            sealing.result()
        if self._current is None:
            self._current = _result(self._opening)
        while self._current is not None and self._backlog:
            messages, first = self._backlog.popleft()
            done = self._current.write(messages, first)
            if done > first:
                self._begin()
            if done < len(messages):
                self._backlog.appendleft((messages, done))
                self._current.poll()
                return
        if self._current is not None:
            self._current.poll()

    def _begin(self) -> None:
        """Count the current transaction, once, when it gets rows."""
        if not self._begun:
            self._begun = True
            self._ctx.count(TRANSACTIONS, 1)

    def _submit(self, work: Callable[..., _T], *args: object) -> Future[_T]:
        future = self._ctx.background.submit(work, *args)
        future.add_done_callback(lambda _: self._ctx.wake())
        return future

    def _open(self, place: int) -> Transaction:
        transaction = self._make_transaction(place, lambda: not self._closed)
        self._opened[place] = transaction  # in the place of one that is retired
        transaction.open()
        if self._closed:  # meanwhile; nobody else would drop its client, which writes statistics
            transaction.retire()
        return transaction

    def _re_init(self, place: int, sealed: Transaction | None) -> Transaction:
        self._ctx.point("re-init")
        if sealed is not None:  # that of the next checkpoint may be sealed meanwhile
            sealed.retire()
        return self._open(place)

    def _seal(self, opening: Future[Transaction], backlog: Backlog) -> Committable | None:
        transaction = opening.result()
        self._ctx.point("pre-commit flush")
        handle, partitions = transaction.pre_commit(backlog)
        self._sealed = transaction
        self._ctx.point("pre-committed")
        return Committable(
            self._ctx.step,
            self._ctx.subtask.index,
            transaction.n_records,
            partitions,
            handle.to_text(),
            transaction.age_s(),
        )


def _result(future: Future[Transaction] | None) -> Transaction | None:
    return future.result() if future is not None and future.done() else None
