"""The yardstick of scripts/bench: a pinned process that only reads a topic and decodes two fields.

Run it as `python -m tests.support.yardstick BOOTSTRAP TOPIC RECORDS`: it prints CPU
microseconds per record.
"""

from __future__ import annotations

import gc
import os
import sys
import time

import msgspec


class Request(msgspec.Struct, gc=False):
    """The two fields that the base workload needs."""

    ts: int
    ip: str


def measure(bootstrap: str, topic: str, records: int) -> float:
    """CPU microseconds per record of this whole process, librdkafka's threads included.

    Args:
        bootstrap: Addresses of the broker.
        topic: The topic; all its partitions are read from the start.
        records: How many records there are.
    """
    from confluent_kafka import Consumer, TopicPartition

    consumer = Consumer(
        {
            "bootstrap.servers": bootstrap,
            "group.id": "raystream-yardstick",
            "enable.auto.commit": False,
            "enable.auto.offset.store": False,
            "isolation.level": "read_committed",
            "fetch.queue.backoff.ms": 10,
            "fetch.min.bytes": 65_536,
            "fetch.wait.max.ms": 50,
            "queued.min.messages": 100_000,
        }
    )
    partitions = consumer.list_topics(topic, timeout=30).topics[topic].partitions
    decode = msgspec.json.Decoder(Request).decode
    gc.freeze()
    gc.disable()
    before = time.process_time()
    consumer.assign([TopicPartition(topic, partition, 0) for partition in partitions])
    seen = 0
    while seen < records:
        rows = [decode(message.value() or b"") for message in consumer.consume(1000, 1.0)]
        seen += len(rows)
    used = time.process_time() - before
    consumer.close()
    return used * 1e6 / records


if __name__ == "__main__":
    os.sched_setaffinity(0, {min(os.sched_getaffinity(0))})
    print(measure(sys.argv[1], sys.argv[2], int(sys.argv[3])))
