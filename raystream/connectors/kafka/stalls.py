"""Detect partitions that deliver nothing although records wait: is there an unreadable batch?

librdkafka retries forever, silently, if a damaged batch claims more bytes than the log holds:
brokers send it cut off, or send nothing at all.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from concurrent.futures import Executor, Future

from raystream.connectors.kafka.batch_headers import first_damage
from raystream.connectors.kafka.clients import (
    NO_ANSWER,
    ClientError,
    LogBytes,
    Partition,
    Place,
    RawLog,
)
from raystream.connectors.kafka.read_errors import damaged

STALL_S = 5.0
"""How long a partition may stall before its log is read."""

AGAIN_S = 15.0
"""How long until the log of the same partition is read again, if it still stalls.

Sooner if the answer was empty: the second such answer is the proof.
"""

LOOK_BYTES = 65536
_OFTEN_S = 1.0

Answer = Mapping[Partition, LogBytes]


class Stalls:
    """Reads the logs of stalled partitions, one request at a time, in the background.

    Args:
        connect: Connects for one request; called in the background.
        background: Runs the requests.
        background: Runs the questions.
        now: Monotonic seconds.
    """

    def __init__(
        self, connect: Callable[[], RawLog], background: Executor, now: Callable[[], float]
    ) -> None:
        self._connect = connect
        self._background = background
        self._now = now
        self._next = now() + _OFTEN_S
        self._stands: dict[Partition, tuple[int, float]] = {}
        self._asked: dict[Partition, int] = {}
        self._empty: dict[Partition, int] = {}
        self._answer: Future[Answer] | None = None

    def due(self) -> bool:
        """True once a second: only then is it worth listing what waits."""
        return self._now() >= self._next

    def check(self, waiting: Iterable[Place]) -> None:
        """Check partitions that have stalled for long, and an answer if there is one; no blocking.

        Args:
            waiting: Read positions of partitions that may have more records.

        Raises:
            JobFailed: a batch is damaged.
        """
        self._next = self._now() + _OFTEN_S
        standing = self._standing({(p.topic, p.partition): p for p in waiting})
        if self._answer is None:
            if standing:
                self._asked = {one: place.offset for one, place in standing.items()}
                self._answer = self._background.submit(self._ask, list(standing.values()))
        elif self._answer.done():
            answer, self._answer = self._answer, None
            self._judge(answer)

    def _standing(self, waiting: Mapping[Partition, Place]) -> dict[Partition, Place]:
        now, before = self._now(), self._stands
        self._stands = {}
        for one, place in waiting.items():
            offset, since = before.get(one, (-1, now))
            self._stands[one] = (place.offset, since if offset == place.offset else now)
        return {one: p for one, p in waiting.items() if now - self._stands[one][1] >= STALL_S}

    def _judge(self, answer: Future[Answer]) -> None:
        try:
            found = answer.result()
        except ClientError:
            found = {}
        for one, asked in self._asked.items():
            offset = self._stands.get(one, (-1, 0.0))[0]
            if offset == asked:
                self._look(one, offset, found.get(one, LogBytes(NO_ANSWER)))

    def _look(self, one: Partition, offset: int, found: LogBytes) -> None:
        """Records must be there; else it is the end, a transaction is open, or the leader moves."""
        owed = not found.code and found.stable > offset
        wait = STALL_S if owed and not found.data else AGAIN_S
        self._stands[one] = (offset, self._now() + wait - STALL_S)
        if owed:
            self._refuse_damage(one, offset, found)

    def _refuse_damage(self, one: Partition, offset: int, found: LogBytes) -> None:
        wrong = first_damage(found.data, offset)
        if wrong is None and not found.data and self._empty.get(one) == offset:
            wrong = offset, f"the broker sends nothing of it; the log goes on to {found.stable}"
        if not found.data:
            self._empty[one] = offset
        if wrong is not None:
            raise damaged(*one, *wrong)

    def _ask(self, places: list[Place]) -> Answer:
        log = self._connect()
        try:
            return log.read(places, LOOK_BYTES)
        finally:
            log.close()
