"""Requests per IP and minute in separate read, window and write subtasks, slowed down on purpose.

What differs between tests comes from the environment, so that the same file runs in every process.
"""

import os
import time

import polars as pl

import raystream as rs

_ROW_S = float(os.environ.get("E2E_ROW_US", "80")) / 1e6


def slowly(frame: pl.DataFrame) -> pl.DataFrame:
    """Takes time, so that a short input lasts for many checkpoints."""
    time.sleep(frame.height * _ROW_S)
    return frame


def _number(name: str, default: int) -> int:
    return int(os.environ.get(name, default))


kafka = rs.Kafka(
    os.environ["E2E_BOOTSTRAP"],
    consumer_config={"fetch.message.max.bytes": 32_768, "queued.min.messages": 200},
)
p = rs.Pipeline(
    os.environ["E2E_JOB"],
    checkpoint_interval=os.environ.get("E2E_INTERVAL", "300ms"),
    checkpoint_storage=os.environ["E2E_STORAGE"],
)
counts = (
    p.read(
        kafka.topic(os.environ["E2E_INPUT"]),
        event_time="ts",
        schema={"ts": int, "ip": str},
        watermark=rs.Watermark(out_of_orderness="10s"),
        name="read",
        parallelism=_number("E2E_READ", 2),
    )
    .map_batches(slowly, schema={"ts": int, "ip": str}, name="slowly")
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
