"""Requests with a name from a table, counted twice, and the counts joined: changes."""

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


kafka = rs.Kafka("kafka:9092")  # RAYSTREAM_BOOTSTRAP_SERVERS of the driver replaces it
p = rs.Pipeline(
    os.environ["E2E_JOB"],
    checkpoint_interval="300ms",
    checkpoint_storage=os.environ["E2E_STORAGE"],
    parallelism=1,
)
requests = p.read(
    Paced(kafka.topic(os.environ["E2E_INPUT"]).as_source(), 10_000),
    event_time="ts",
    schema={"ts": int, "ip": str},
    watermark=rs.Watermark(out_of_orderness="10s"),
    name="read",
)
table = p.read(
    rs.Files(os.environ["E2E_TABLE"]), schema={"address": str, "zone": str}, name="table"
)
named = requests.lookup(table, {"ip": "address"}, how="left", name="named", parallelism=2)
every = named.key_by("ip").aggregate(count=rs.count(), zone=rs.max("zone"), name="every")
some = named.filter("ts % 7 = 0").key_by("ip").aggregate(some=rs.count(), name="some")
every.join(some, "ip", how="left", name="joined", parallelism=2).select(
    "ip", "count", "zone", "some"
).write(kafka.topic(os.environ["E2E_OUTPUT"], format="json"), changes="log", name="write")
