"""What a read_committed consumer sees of a topic; a hanging transaction is a failure."""

from __future__ import annotations

import json
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from raystream.errors import RaystreamError

if TYPE_CHECKING:
    from confluent_kafka import Consumer
    from confluent_kafka.admin import AdminClient


@dataclass(frozen=True, slots=True)
class Record:
    """One committed record."""

    partition: int
    offset: int
    key: bytes | None
    value: bytes | None
    headers: Mapping[str, bytes] = field(default_factory=dict)


def read_topic(
    bootstrap: str,
    topic: str,
    *,
    security: Mapping[str, str] | None = None,
    timeout: float = 60.0,
) -> list[Record]:
    """Every committed record, per partition in order.

    Waits until the last stable offset is the high watermark: as long as they differ, a
    transaction is open and records may still appear or vanish.

    Args:
        bootstrap: Addresses of the broker.
        topic: The topic.
        security: Client settings in librdkafka's names.
        timeout: Seconds to wait for open transactions, and again for the records.

    Raises:
        RaystreamError: A transaction hangs, or the records did not come in time.
    """
    from confluent_kafka import TopicPartition

    client = {"bootstrap.servers": bootstrap, "log_level": 0, **(security or {})}
    ends = stable_ends(client, topic, timeout)
    consumer = _consumer(client)
    try:
        consumer.assign([TopicPartition(topic, partition, 0) for partition in ends])
        return _read_to(consumer, topic, ends, timeout)
    finally:
        consumer.close()


def stable_ends(client: Mapping[str, Any], topic: str, timeout: float) -> dict[int, int]:
    """High watermark per partition, once no transaction is open below it.

    Raises:
        RaystreamError: A transaction is still open after `timeout` seconds.
    """
    from confluent_kafka.admin import AdminClient

    admin = AdminClient(dict(client))
    deadline = time.monotonic() + timeout
    while True:
        high = _ends(admin, topic, committed=False)
        stable = _ends(admin, topic, committed=True)
        if high == stable:
            return high
        if time.monotonic() > deadline:
            raise _hanging(client, topic, high, stable, timeout)
        time.sleep(0.1)


def _hanging(
    client: Mapping[str, Any],
    topic: str,
    high: Mapping[int, int],
    stable: Mapping[int, int],
    timeout: float,
) -> RaystreamError:
    held = {p: stable[p] for p in high if high[p] != stable[p]}
    who = _holders(client, [(topic, p) for p in held])
    places = [f"{topic}/{p} from offset {at}{who.get(p, '')}" for p, at in held.items()]
    what = f"a transaction hangs: {', '.join(places)} still not stable after {timeout:g} s"
    advice = "start its job again, which ends it; else see `raystream txn list`, also --hanging"
    return RaystreamError(what, what_to_do=advice)


def _holders(client: Mapping[str, Any], places: list[tuple[str, int]]) -> dict[int, str]:
    """Partition -> whose transaction holds it, as far as the brokers tell: never an error."""
    try:
        from raystream.connectors.kafka.inspection import holders

        return {partition: f" ({text})" for (_, partition), text in holders(client, places).items()}
    except Exception:  # noqa: BLE001 - a diagnosis must not hide what is wrong
        return {}


def _ends(admin: AdminClient, topic: str, *, committed: bool) -> dict[int, int]:
    from confluent_kafka import IsolationLevel, TopicPartition
    from confluent_kafka.admin import OffsetSpec

    level = IsolationLevel.READ_COMMITTED if committed else IsolationLevel.READ_UNCOMMITTED
    latest: Any = OffsetSpec
    asked = {TopicPartition(topic, p): latest.latest() for p in _partitions(admin, topic)}
    answers = admin.list_offsets(asked, isolation_level=level, request_timeout=30)
    return {place.partition: future.result().offset for place, future in answers.items()}


def _partitions(admin: AdminClient, topic: str) -> list[int]:
    described = admin.list_topics(topic, timeout=30).topics[topic]
    if described.error is not None:
        what = f"topic {topic}: {described.error.str()}"
        raise RaystreamError(what, what_to_do="check the name")
    return sorted(described.partitions)


def _consumer(client: Mapping[str, Any]) -> Consumer:
    from confluent_kafka import Consumer

    return Consumer(
        {
            **client,
            "group.id": "raystream-verify",
            "isolation.level": "read_committed",
            "enable.auto.commit": False,
            "enable.partition.eof": True,
            "auto.offset.reset": "earliest",
        }
    )


def _read_to(
    consumer: Consumer, topic: str, ends: Mapping[int, int], timeout: float
) -> list[Record]:
    from confluent_kafka import KafkaError

    left = {partition for partition, end in ends.items() if end > 0}
    records: list[Record] = []
    deadline = time.monotonic() + timeout
    while left:
        if time.monotonic() > deadline:
            what = f"topic {topic}: partitions {sorted(left)} were not read in {timeout:g} s"
            raise RaystreamError(what, what_to_do="is the broker up?")
        for message in consumer.consume(5000, timeout=0.5):
            error = message.error()
            if error is None:
                records.append(_record(message))
            elif error.code() == KafkaError._PARTITION_EOF:
                left -= _ended(message, ends)
            elif not error.retriable():
                raise RaystreamError(f"topic {topic}: {error.str()}")  # noqa: EM102
    return sorted(records, key=lambda record: (record.partition, record.offset))


def _ended(message: Any, ends: Mapping[int, int]) -> set[int]:
    """The partition of an end-of-partition message, if it is the end that was asked for."""
    partition = message.partition()
    return {partition} if message.offset() >= ends[partition] else set()


def _record(message: Any) -> Record:
    headers = dict(message.headers() or ())
    return Record(message.partition(), message.offset(), message.key(), message.value(), headers)


def json_rows(values: list[bytes | None]) -> list[dict[str, Any]]:
    """JSON values as rows; rows with `final` = false are early results and left out."""
    rows = [json.loads(value) for value in values if value is not None]
    return [row for row in rows if row.get("final", True) is not False]


def read_json_topic(
    bootstrap: str, topic: str, *, security: Mapping[str, str] | None = None
) -> list[dict[str, Any]]:
    """Final rows of a topic of JSON records, as `read_topic` reads them."""
    return json_rows([record.value for record in read_topic(bootstrap, topic, security=security)])


def read_json_files(directory: Path) -> list[dict[str, Any]]:
    """Final rows of every visible file of JSON lines below a directory."""
    rows: list[dict[str, Any]] = []
    for path in sorted(directory.rglob("*")):
        if path.is_file() and not path.name.startswith("."):
            rows += json_rows(list(path.read_bytes().splitlines()))
    return rows
