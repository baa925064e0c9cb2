"""Requests per IP and minute in separate read, window and write subtasks, read slowly on purpose.

What differs between tests comes from the environment, so that the same file runs in every process.
"""

import os
import time
from typing import Any

import raystream as rs


class Paced:
    """A source that hands out so many rows a second: a short input lasts for many checkpoints."""

    def __init__(self, inner: Any, rows_per_second: int) -> None:
        self.inner = inner
        self.rate = rows_per_second
        self.discovery_interval = float(os.environ.get("E2E_DISCOVERY", "60"))

    def __getattr__(self, name: str) -> Any:
        if name.startswith("__") or name == "inner":
            raise AttributeError(name)
        return getattr(self.inner, name)

    def reader(self, ctx: Any, options: Any) -> "PacedReader":
        return PacedReader(self.inner.reader(ctx, options), self.rate / ctx.parallelism)


class PacedReader:
    def __init__(self, inner: Any, rate: float) -> None:
        self.inner = inner
        self.rate = rate
        self.next = 0.0

    def __getattr__(self, name: str) -> Any:
        return getattr(self.inner, name)

    def poll(self, max_rows: int) -> Any:
        now = time.monotonic()
        if now < self.next:
            return None
        chunk = self.inner.poll(min(max_rows, 300))
        if chunk is not None:
            self.next = max(self.next, now - 0.2) + chunk.frame.height / self.rate
        return chunk


def _number(name: str, default: int) -> int:
    return int(os.environ.get(name, default))


kafka = rs.Kafka("kafka:9092")  # RAYSTREAM_BOOTSTRAP_SERVERS of the driver replaces it
p = rs.Pipeline(
    os.environ["E2E_JOB"],
    checkpoint_interval=os.environ.get("E2E_INTERVAL", "300ms"),
    checkpoint_storage=os.environ["E2E_STORAGE"],
)
requests = kafka.topic(os.environ["E2E_INPUT"]).as_source()
counts = (
    p.read(
        Paced(requests, _number("E2E_RATE", 10_000)),
        event_time="ts",
        schema={"ts": int, "ip": str},
        watermark=rs.Watermark(out_of_orderness="10s"),
        name="read",
        parallelism=_number("E2E_READ", 2),
    )
    .key_by("ip")
    .window(rs.tumbling("1m"), name="counts", parallelism=_number("E2E_COUNT", 2))
    .agg(count=rs.count())
)
counts.write(
    kafka.topic(
        os.environ["E2E_OUTPUT"],
        transaction_timeout=os.environ.get("E2E_TIMEOUT", "60s"),
    ),
    name="write",
    parallelism=_number("E2E_WRITE", 1),
)
