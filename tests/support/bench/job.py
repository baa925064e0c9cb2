"""A job of the table, in a process of its own: `python -m tests.support.bench.job ORDER`.

ORDER is JSON, an `Order`. The lines that it prints to the file `told` are the statuses of the run.
It imports as little as a user's script does.
"""

from __future__ import annotations

import json
import sys
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

PHASES = ("duration", "ack", "align", "sync", "flush", "upload", "commit")
"""Of a checkpoint, as the status calls them."""


@dataclass(frozen=True, slots=True)
class Order:
    """Which job, and where.

    Args:
        kind: One of `PIPELINES`.
        bootstrap: Addresses of the broker.
        source: Topic, or a glob of files.
        target: Topic, or a directory.
        storage: Of checkpoints.
        told: File for the statuses.
        interval: Between checkpoints.
        parallelism: Of the job.
        local: In one process, without Ray.
        address: Of Ray; `local`: a private one.
        until: `latest`, or None: until it is stopped.
        first: File that is made when the first rows have been read; empty: none.
        delay: Bound of the disorder, for the watermark.
        window: Length of the windows.
    """

    kind: str
    bootstrap: str
    source: str
    target: str
    storage: str
    told: str
    interval: str = "2s"
    parallelism: int = 2
    local: bool = False
    address: str | None = "local"
    until: str | None = "latest"
    first: str = ""
    delay: str = "5s"
    window: str = "1m"


def main(order: Order) -> int:
    """Run it; 0 if it succeeded."""
    import raystream as rs

    p = rs.Pipeline("bench", checkpoint_interval=order.interval, checkpoint_storage=order.storage)
    PIPELINES[order.kind](p, order)
    if order.until is None:
        return _until_stopped(p, order)
    from raystream.api.jobs.run import RunOptions, run

    options = RunOptions(
        until=order.until,
        local=order.local,
        address=None if order.local else order.address,
        parallelism=order.parallelism,
        on_status=_teller(order.told),
    )
    outcome = run(p, options)
    print(outcome.kind, outcome.message or "")
    return 0 if outcome.kind == "finished" else 1


def _until_stopped(pipeline: Any, order: Order) -> int:
    from raystream.api.jobs.run import RunOptions, run

    options = RunOptions(
        local=order.local,
        address=None if order.local else order.address,
        parallelism=order.parallelism,
        on_status=_teller(order.told),
    )
    outcome = run(pipeline, options)
    print(outcome.kind, outcome.message or "")
    return 0 if outcome.kind in ("stopped", "finished") else 1


def _teller(told: str) -> Any:
    def tell(status: Any) -> None:
        line = {
            "at": time.monotonic(),
            "rows": status.rows_read,
            "state": status.state,
            "restarts": status.restart_count,
            "checkpoints": status.checkpoint.completed,
            "phases": _phases(status),
        }
        with Path(told).open("a") as file:
            file.write(json.dumps(line) + "\n")

    return tell


def _phases(status: Any) -> dict[str, dict[str, float | None]]:
    """Number of a completed checkpoint -> when it was triggered, and seconds of each phase."""
    return {
        str(one.number): {
            "at_ms": one.triggered_at_ms,
            **{name: getattr(one, f"{name}_s") for name in PHASES},
        }
        for one in status.checkpoint.history
        if one.state == "completed"
    }


def requests(p: Any, order: Order) -> None:
    """The base workload: requests per IP and window."""
    import raystream as rs

    _counted(_rows(p, order), order).write(
        rs.Kafka(order.bootstrap).topic(order.target, format="json")
    )


def files(p: Any, order: Order) -> None:
    """The base workload from files to files."""
    import raystream as rs

    rows = p.read(rs.Files(order.source), event_time="ts", watermark=_late(order))
    _counted(rows, order).write(rs.Files(order.target))


def wide(p: Any, order: Order) -> None:
    """The base workload, with a look at three more fields, which are always so."""
    import raystream as rs

    right = (rs.col("status") > 0) & (rs.col("bytes") > 0) & (rs.col("path") != "")
    _counted(_rows(p, order).filter(right), order).write(
        rs.Kafka(order.bootstrap).topic(order.target, format="json")
    )


def one_to_one(p: Any, order: Order) -> None:
    """A filter and a new column."""
    import raystream as rs

    rows = _rows(p, order).filter(rs.col("status") != 404)
    rows = rows.with_columns(kib=rs.col("bytes") / 1024)
    rows.write(rs.Kafka(order.bootstrap).topic(order.target, format="json"))


def dict_function(p: Any, order: Order) -> None:
    """A plain function on dicts."""
    import raystream as rs

    rows = _rows(p, order).map(in_kib)
    rows.write(rs.Kafka(order.bootstrap).topic(order.target, format="json"))


def in_kib(row: dict[str, Any]) -> dict[str, Any]:
    """What a user writes."""
    return {"ip": row["ip"], "kib": row["bytes"] / 1024}


def _rows(p: Any, order: Order) -> Any:
    import raystream as rs

    topic = rs.Kafka(order.bootstrap).topic(order.source, format="json")
    rows = p.read(topic, event_time="ts", watermark=_late(order), name="read")
    if not order.first:
        return rows
    # declared: to learn them the function would be tried before the job reads
    return rows.map_batches(_FirstRows(order.first), schema={"ts": "int", "ip": "string"})


def _late(order: Order) -> Any:
    import raystream as rs

    return rs.Watermark(out_of_orderness=order.delay)


def _counted(rows: Any, order: Order) -> Any:
    import raystream as rs

    return rows.key_by("ip").window(rs.tumbling(order.window)).agg(count=rs.count())


class _FirstRows:
    """Notes when the first batch came.

    Args:
        path: The file that is made.
    """

    def __init__(self, path: str) -> None:
        self._path = path

    def __call__(self, frame: Any) -> Any:
        try:
            with Path(self._path).open("x") as file:
                file.write(str(time.monotonic()))
        except FileExistsError:
            pass
        return frame.select("ts", "ip")


PIPELINES = {
    "dict_function": dict_function,
    "files": files,
    "one_to_one": one_to_one,
    "requests": requests,
    "wide": wide,
}

if __name__ == "__main__":
    sys.exit(main(Order(**json.loads(sys.argv[1]))))
