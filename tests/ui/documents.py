"""Status documents of jobs in several conditions."""

from __future__ import annotations

from dataclasses import replace
from itertools import pairwise

from raystream.observe.flow import ChainStatus, EdgeStatus, SplitStatus, StepStatus, SubtaskStatus
from raystream.observe.histogram import HistogramStatus
from raystream.observe.safety import (
    CheckpointEntry,
    CheckpointStatus,
    RestartStatus,
    TransactionStatus,
)
from raystream.observe.status import StatusDocument

AT_MS = 1_700_000_000_000


def running(seconds: float = 60.0, *, job: str = "requests", rows: int = 1000) -> StatusDocument:
    """A job that has run for some seconds at `rows` rows per second."""
    read = round(rows * seconds)
    steps = (
        StepStatus("read", "read", 2, rows_out=read, counters={"is_source": 1}, verb="read"),
        StepStatus("counts", "counts", 2, rows_in=read, rows_out=read // 10, late_rows=3,
                   counters={"late_rows": 3}),
        StepStatus("write", "counts", 2, rows_in=read // 10, counters={"is_sink": 1}),
    )  # fmt: skip
    chains = tuple(
        ChainStatus(
            name,
            busy=0.4,
            backpressured=0.1,
            subtasks=(
                SubtaskStatus(
                    0,
                    0.4,
                    watermark_ms=AT_MS - 2000,
                    watermark_in_ms=AT_MS - 1500,
                    timers=4,
                    windows_open=3,
                    rows=read,
                ),
                SubtaskStatus(1),
            ),
        )
        for name in ("read", "counts")
    )
    splits = (
        SplitStatus(
            "requests/0", "read", 0, 17, 0.5, AT_MS - 2000, holds_back=True, emit_lag_seconds=0.25
        ),
        SplitStatus("requests/1", "read", 1, 0, 0.0, AT_MS - 1000, idle=True),
    )
    history = tuple(
        CheckpointEntry(n, "completed", AT_MS - 1000 * n, 0.4, 0.1, 0.05, 0.1, 0.2, 0.3, 0.1)
        for n in (5, 6, 7)
    )
    return StatusDocument(
        job,
        "running",
        uptime_s=seconds,
        attempt=1,
        steps=steps,
        chains=chains,
        edges=(EdgeStatus("read", "counts", "hash"),),
        splits=splits,
        watermark_ms=AT_MS - 2000,
        checkpoint=CheckpointStatus(7, 7, age_s=1.0, interval_s=2.0, history=history),
        transactions=(TransactionStatus("requests-1-0", "write", rows=10, age_s=1.0, limit_s=60),),
        open_transactions=1,
        oldest_transaction_s=1.0,
        at_ms=AT_MS + round(1000 * seconds),
        run="r1",
        delivery_guarantee="exactly_once",
        parallelism=2,
        raystream_version="0.1.0",
        latencies=(
            HistogramStatus("write", 100, 60.0, 0.5, 1.4, {"0.5": 50, "0.7": 40, "1.5": 10}),
        ),
        phases=tuple(
            HistogramStatus(name, 7, 0.7, 0.1, 0.1, {"0.1": 7})
            for name in ("duration", "align", "sync", "flush", "upload", "commit")
        ),
        mailbox=HistogramStatus("mailbox", 14, 0.014, 0.001, 0.001, {"0.001": 14}),
        restarts=(RestartStatus(0, "counts[1]: SIGKILL", 3.0, AT_MS, 0.5),),
        restart_count=1,
        transactions_committed=12,
        transactions_aborted=2,
    )


def large(chains: int = 20, parallelism: int = 10, *, job: str = "large") -> StatusDocument:
    """A job of many chains of five steps each, one after the other, each of many subtasks."""
    first = running(job=job)
    names = [f"step-{number:03}" for number in range(chains)]
    subtasks = tuple(
        SubtaskStatus(index, 0.5, 0.2, 0.3, rows=10_000 + index, watermark_ms=AT_MS - 2000,
                      watermark_in_ms=AT_MS - 1500, busy_s=30.0, backpressured_s=12.0, idle_s=18.0)
        for index in range(parallelism)
    )  # fmt: skip
    steps = tuple(
        StepStatus(
            name if part == 0 else f"{name}-{part}", name, parallelism, 10**6, 10**6,
            counters={"is_source": int(name == names[0] and part == 0)},
        )
        for name in names
        for part in range(5)
    )  # fmt: skip
    splits = tuple(
        SplitStatus(f"requests/{n}", steps[0].name, n % parallelism, 17, 0.5, AT_MS - 2000)
        for n in range(300)
    )
    return replace(
        first,
        steps=steps,
        chains=tuple(
            ChainStatus(name, 0.5, 0.2, AT_MS - 2000, skew=1.1, subtasks=subtasks) for name in names
        ),
        edges=tuple(EdgeStatus(a, b, "hash") for a, b in pairwise(names)),
        splits=splits,
    )
