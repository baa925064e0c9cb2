"""Generated rows into Kafka topics, fast, from outside of the engine."""

from __future__ import annotations

import re
import threading
import time
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING

import polars as pl

from tests.support import generator
from tests.support.broker import BrokerError

if TYPE_CHECKING:
    from confluent_kafka.admin import AdminClient

_MOST_MADE = 1000

_CONFIG = {
    "linger.ms": 20,
    "batch.size": 1_000_000,
    "queue.buffering.max.messages": 1_000_000,
    "enable.idempotence": True,
    "log_level": 0,
}


def produce(
    bootstrap: str,
    topic: str,
    frames: Iterable[pl.DataFrame],
    *,
    partitions: int = generator.PARTITIONS,
    security: Mapping[str, str] | None = None,
) -> int:
    """Write rows as JSON without key, row i of all to partition i modulo `partitions`.

    Args:
        bootstrap: Addresses of the broker.
        topic: A topic with at least this many partitions.
        frames: The rows, in blocks.
        partitions: How many partitions are used.
        security: Client settings in librdkafka's names.

    Returns:
        How many records were written.

    Raises:
        BrokerError: A record was not delivered.
    """
    lines = (line for frame in frames for line in generator.to_json(frame))
    return produce_values(bootstrap, topic, lines, partitions=partitions, security=security)


def produce_values(
    bootstrap: str,
    topic: str,
    values: Iterable[str | bytes | None],
    *,
    partitions: int = generator.PARTITIONS,
    security: Mapping[str, str] | None = None,
) -> int:
    """Write raw values, value i to partition i modulo `partitions`.

    Raises:
        BrokerError: A record was not delivered.
    """
    from confluent_kafka import Producer

    failed: list[str] = []
    producer = Producer(
        {
            **_CONFIG,
            "bootstrap.servers": bootstrap,
            **(security or {}),
            "on_delivery": lambda error, _: failed.append(error.str()) if error else None,
            "delivery.report.only.error": True,
        }
    )
    count = 0
    for count, value in enumerate(values, start=1):  # noqa: B007 - counts
        target = (count - 1) % partitions
        while True:
            try:
                producer.produce(topic, value, partition=target)
                break
            except BufferError:
                producer.poll(0.1)
        if not count % 10_000:
            producer.poll(0)
    left = producer.flush(120)
    if failed or left:
        message = f"{len(failed) + left} records did not reach topic {topic}: {failed[:1]}"
        raise BrokerError(message)
    return count


def refill(
    bootstrap: str, topic: str, rows: pl.DataFrame | None = None, *, partitions: int = 4
) -> None:
    """Make a topic anew, whatever it held, with these rows; for notebooks and demos.

    Args:
        bootstrap: Addresses of a broker that may be played with.
        topic: Is deleted if it exists and was made by an earlier call; while a running job uses it,
            it is left as it is.
        rows: Written as JSON, in turn to the partitions; None: it stays empty.
        partitions: How many it has.

    Raises:
        BrokerError: The topic was made by somebody else, cannot be made, or a record was not
            delivered.
    """
    from confluent_kafka.admin import AdminClient

    from tests.support.broker import Broker

    broker = Broker.attach(bootstrap)
    client = AdminClient({"bootstrap.servers": bootstrap, "log_level": 0})
    if topic in client.list_topics(timeout=30).topics:
        job = _used_by(topic)
        if job is not None:
            print(f"topic {topic} is used by job {job}, which is running: it is left as it is")
            return
        _refuse_foreign(client, topic)
        broker.delete_topic(topic)
        deadline = time.monotonic() + 30
        while topic in client.list_topics(timeout=30).topics and time.monotonic() < deadline:
            time.sleep(0.05)
    broker.create_topic(topic, partitions)
    _remember(_id_of(client, topic))
    if rows is not None:
        produce(bootstrap, topic, [rows], partitions=partitions)


def _used_by(topic: str) -> str | None:
    """A running job that reads or writes a topic of this name, as far as this user can see."""
    import raystream as rs
    from raystream.errors import RaystreamError

    try:
        for job in rs.jobs():
            status = job.status()
            ends = (re.split(r"[ ,]+", step.description) for step in status.steps)
            if status.state != "ended" and any(topic in names for names in ends):
                return job.name
    except (RaystreamError, ImportError):
        return None
    return None


def _refuse_foreign(client: AdminClient, topic: str) -> None:
    if _id_of(client, topic) not in _made():
        what = f"topic {topic} was not made by refill: delete it yourself, or use another name"
        raise BrokerError(what)


def _id_of(client: AdminClient, topic: str) -> str:
    """A topic that is made anew under its old name has another id."""
    from confluent_kafka import TopicCollection

    return str(client.describe_topics(TopicCollection([topic]))[topic].result(30).topic_id)


def _made() -> list[str]:
    """Ids of the topics that `refill` made for this user on this machine, the newest last."""
    try:
        return _place_of_made().read_text().split()
    except OSError:
        return []


def _remember(topic_id: str) -> None:
    path = _place_of_made()
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("\n".join([*_made(), topic_id][-_MOST_MADE:]))


def _place_of_made() -> Path:
    return Path.home() / ".raystream" / "made-topics"


def trickle(
    bootstrap: str, topic: str, rows: pl.DataFrame, *, per_second: int, partitions: int = 4
) -> threading.Thread:
    """Write rows little by little from a thread, so that there is something to watch.

    Args:
        bootstrap: Addresses of the broker.
        topic: Has at least this many partitions.
        rows: Written in their order.
        per_second: How many.
        partitions: How many are used.

    Returns:
        The thread; it ends with the rows, or with this process.
    """

    def blocks() -> Iterator[pl.DataFrame]:
        size = max(1, per_second // 5)
        due = time.monotonic()
        for block in rows.iter_slices(size):
            yield block
            due += size / per_second
            time.sleep(max(0.0, due - time.monotonic()))

    def write() -> None:
        produce(bootstrap, topic, blocks(), partitions=partitions)

    thread = threading.Thread(target=write, name="trickle", daemon=True)
    thread.start()
    return thread


def produce_requests(bootstrap: str, topic: str, n: int, seed: int = 1) -> int:
    """The first n records of the base workload."""
    return produce(bootstrap, topic, generator.request_blocks(n, seed))
