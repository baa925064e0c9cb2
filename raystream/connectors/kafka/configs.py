"""Configurations of the consumers and producers that raystream creates."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

CONSUMER: Mapping[str, Any] = {
    "client.id": "raystream",
    "enable.auto.commit": False,
    "enable.auto.offset.store": False,
    "enable.partition.eof": True,
    "isolation.level": "read_committed",
    "auto.offset.reset": "error",
    "check.crcs": True,
    "fetch.queue.backoff.ms": 10,
    "fetch.min.bytes": 65536,
    "fetch.wait.max.ms": 50,
    "fetch.message.max.bytes": 1048576,
    "queued.min.messages": 30000,  # of each partition: more leave the caches, 7 % more CPU
    "statistics.interval.ms": 1000,
}
"""hot-path.md 4: a queue that is refilled at once, read_committed, no auto-commit."""

CONSUMER_FIXED = frozenset(
    {
        "group.id",
        "enable.auto.commit",
        "enable.auto.offset.store",
        "enable.partition.eof",
        "isolation.level",
        "auto.offset.reset",
        "group.instance.id",
        "group.protocol",
    }
)

PRODUCER: Mapping[str, Any] = {
    "client.id": "raystream",
    "enable.idempotence": True,
    "acks": "all",
    "partitioner": "murmur2_random",
    "linger.ms": 20,
    "batch.size": 1048576,
    "batch.num.messages": 50000,
    "queue.buffering.max.messages": 1000000,
    "queue.buffering.max.kbytes": 65536,
    "delivery.report.only.error": True,
    "statistics.interval.ms": 1000,
}
"""hot-path.md 7 and rule R8; `murmur2_random` partitions keys as Java does."""

PRODUCER_FIXED = frozenset(
    {
        "transactional.id",
        "transaction.timeout.ms",
        "enable.idempotence",
        "acks",
        "request.required.acks",
        "statistics.interval.ms",
        "delivery.report.only.error",
        "message.timeout.ms",
        "delivery.timeout.ms",
    }
)

MESSAGE_BYTES = 1_000_000
"""Default `message.max.bytes` of librdkafka."""

_MOST_BYTES = 1_000_000_000
"""Its highest value."""

STATISTICS_MS = 50
"""How often a transactional producer reports its identity: bounds the wait at pre-commit."""

MESSAGE_TIMEOUT_MS = 120_000
"""Longest time a record may wait for its broker; shorter if the transaction's limit is."""


def transactional(tid: str, timeout_ms: int) -> dict[str, Any]:
    """Configuration of a producer for one transaction.

    >>> transactional("a.00000000.1.w.0.0", 60000)["message.timeout.ms"]
    30000
    """
    return {
        "transactional.id": tid,
        "transaction.timeout.ms": timeout_ms,
        "message.timeout.ms": message_timeout_ms(timeout_ms),
        "statistics.interval.ms": STATISTICS_MS,
    }


def fitted(largest: int | None, own: Mapping[str, Any]) -> dict[str, Any]:
    """Size limits that fit a topic's: a batch that is too large is refused as a whole.

    Args:
        largest: `max.message.bytes` of the topic; None: not known.
        own: The user's `producer_config`; its limits for single records are kept.

    >>> fitted(32_768, {})["batch.size"], fitted(10_485_760, {})["message.max.bytes"]
    (32768, 10485760)
    """
    if largest is None:
        return {}
    batch = min(int(own.get("batch.size", PRODUCER["batch.size"])), largest)
    one = int(own.get("message.max.bytes", min(max(largest, MESSAGE_BYTES), _MOST_BYTES)))
    queue = int(own.get("queue.buffering.max.kbytes", PRODUCER["queue.buffering.max.kbytes"]))
    return {
        "batch.size": max(batch, 1),
        "message.max.bytes": one,
        "queue.buffering.max.kbytes": max(queue, 2 * one // 1024),
    }


def message_timeout_ms(timeout_ms: int) -> int:
    """Half the limit of the transaction at most: later it could not be committed anyway."""
    return min(MESSAGE_TIMEOUT_MS, timeout_ms // 2)
