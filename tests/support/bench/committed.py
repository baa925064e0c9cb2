"""What a read_committed reader, a process of its own, has seen of a topic, and when.

`python -m tests.support.bench.committed BOOTSTRAP TOPIC WANTED` reads until the column `count` of
its rows adds up to WANTED (0: until it is killed), and prints a line of JSON per call that brought
rows, `Seen`.
"""

from __future__ import annotations

import subprocess
import sys
import threading
import time
from collections import Counter
from pathlib import Path

import msgspec

PATIENCE_S = 1800.0
_ROOT = Path(__file__).parents[3]


class Counted(msgspec.Struct, gc=False):
    """The columns that are looked at; a row without a count counts for one."""

    count: int = 1
    window_end: int = 0


class Seen(msgspec.Struct):
    """Rows that came at once.

    Args:
        at: Seconds of the monotonic clock.
        rows: How many.
        total: Sum of all counts so far.
        ends: Rows by the end of their window, epoch ms.
    """

    at: float
    rows: int
    total: int
    ends: dict[int, int]


class Reader:
    """A reader that is ready when this is made.

    Args:
        bootstrap: Addresses of the broker.
        topic: What it reads.
        wanted: Where it ends; 0: never.
    """

    def __init__(self, bootstrap: str, topic: str, wanted: int = 0) -> None:
        command = [sys.executable, "-m", "tests.support.bench.committed"]
        self._process = subprocess.Popen(
            [*command, bootstrap, topic, str(wanted)], stdout=subprocess.PIPE, cwd=_ROOT
        )
        assert self._process.stdout is not None
        self._process.stdout.readline()
        self.seen: list[Seen] = []
        self._thread = threading.Thread(target=self._read, daemon=True)
        self._thread.start()

    def last(self) -> float:
        """Wait until it has seen all; when that was."""
        self._thread.join(PATIENCE_S)
        self.close()
        return self.seen[-1].at

    def close(self) -> None:
        """End it."""
        self._process.kill()
        self._process.wait()
        self._thread.join()

    def _read(self) -> None:
        assert self._process.stdout is not None
        decode = msgspec.json.Decoder(Seen).decode
        for line in self._process.stdout:
            self.seen.append(decode(line))


def main(bootstrap: str, topic: str, wanted: int) -> None:
    """Read and print."""
    from confluent_kafka import Consumer, TopicPartition

    consumer = Consumer(
        {
            "bootstrap.servers": bootstrap,
            "group.id": "raystream-bench",
            "enable.auto.commit": False,
            "isolation.level": "read_committed",
            "fetch.wait.max.ms": 10,
            "fetch.queue.backoff.ms": 10,
            "log_level": 0,
        }
    )
    partitions = consumer.list_topics(topic, timeout=30).topics[topic].partitions
    consumer.assign([TopicPartition(topic, partition, 0) for partition in partitions])
    decode = msgspec.json.Decoder(Counted).decode
    print("ready", flush=True)
    total, end = 0, time.monotonic() + PATIENCE_S
    while time.monotonic() < end and (not wanted or total < wanted):
        values = [m.value() for m in consumer.consume(1000, 0.01) if m.error() is None]
        if values:
            rows = [decode(value) for value in values if value]
            total += sum(row.count for row in rows)
            ends = Counter(row.window_end for row in rows)
            seen = Seen(time.monotonic(), len(rows), total, dict(ends))
            print(msgspec.json.encode(seen).decode(), flush=True)
    consumer.close()


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2], int(sys.argv[3]))
