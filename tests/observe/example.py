"""A job in the middle of its life, with something to say in every part of its status."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from raystream.observe.culprit import culprits
from raystream.observe.status import (
    ChainStatus,
    CheckpointEntry,
    CheckpointStatus,
    EdgeStatus,
    RestartStatus,
    SampleStatus,
    SplitStatus,
    StatusDocument,
    StepStatus,
    SubtaskStatus,
    TransactionStatus,
)

NOON = 1_700_049_600_000


def step(name: str, chain: str, **counters: int) -> StepStatus:
    known = {n: v for n, v in counters.items() if n in StepStatus.__dataclass_fields__}
    return StepStatus(name, chain, 2, counters=counters, **known)  # type: ignore[arg-type]


def busy(index: int, share: float, rows: int = 5000) -> SubtaskStatus:
    return SubtaskStatus(index, share, 0.0, 1 - share, rows=rows)


def document(rows: int = 30_000, uptime: float = 12.0, **changes: Any) -> StatusDocument:
    read = step("read", "read", rows_out=rows, bytes_in=rows * 70, is_source=1, dlq_rows=2)
    read = replace(
        read,
        description="kafka topic requests",
        verb="read",
        samples=(SampleStatus("dlq_rows", NOON, '{"ip":', "not JSON", "partition 3, offset 17"),),
    )
    late = SampleStatus("late_rows", NOON, '{"ip": "a"}', "all windows of the row were closed")
    values: dict[str, Any] = {
        "job": "sale",
        "state": "running",
        "uptime_s": uptime,
        "attempt": 3,
        "restart_count": 2,
        "restarts": (
            RestartStatus(1, "read[0] died: killed", 1.0, NOON, 0.5),
            RestartStatus(
                2, "count[1] failed: KeyError: 'ip'", 4.0, NOON, 0.5, ("x", "at job.py:7")
            ),
        ),
        "steps": (
            read,
            replace(step("count", "count", rows_in=rows, late_rows=4), samples=(late,)),
            step("write", "count", rows_in=7, bytes_out=900, is_sink=1),
        ),
        "chains": (
            ChainStatus("read", 0.2, 0.8, NOON, subtasks=(busy(0, 0.2), busy(1, 0.1))),
            ChainStatus(
                "count", 0.9, 0.0, NOON, state_bytes=2048, subtasks=(busy(0, 0.9), busy(1, 0.85))
            ),
        ),
        "splits": (
            SplitStatus("requests/0", "read", 0, 1500, 12.0, NOON, position={"offset": 9}),
            SplitStatus(
                "requests/3", "read", 1, 0, 0.0, NOON - 400_000, False, 40.0, holds_back=True
            ),
            SplitStatus("requests/4", "read", 1, 0, 0.0, NOON - 900_000, True, 400.0),
        ),
        "lag": {"requests/0": 1500, "requests/3": 0, "requests/4": 0},
        "watermark_ms": NOON - 400_000,
        "checkpoint": CheckpointStatus(
            9,
            8,
            1,
            duration_s=0.35,
            commit_s=0.1,
            size_bytes=123_000,
            new_bytes=4_000,
            age_s=3.0,
            interval_s=10.0,
            history=(
                CheckpointEntry(8, "failed", NOON, 0.9, reason="count[1] died"),
                CheckpointEntry(9, "completed", NOON, 0.35, 0.1, 0.01, 0.02, 0.05, 0.25, 0.1),
            ),
        ),
        "open_transactions": 1,
        "oldest_transaction_s": 9.8,
        "transactions": (
            TransactionStatus("sale.0f.write.1.3.0", "write", 1, "open", 7, 9.8, 900),
        ),
        "at_ms": NOON,
        "delivery_guarantee": "exactly_once",
        "parallelism": 2,
        "raystream_version": "0.1.0",
        "storage": "s3://bucket/sale/",
        "came_from": "checkpoint 1",
        "edges": (EdgeStatus("read", "count", "hash"),),
        **changes,
    }
    told = StatusDocument(**values)
    return replace(told, culprits=culprits(told), notes=culprits(told))
