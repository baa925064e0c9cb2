"""The last seconds of a job as a plain dict, shaped like Spark's `lastProgress`.

| Spark | here |
|---|---|
| name, runId, timestamp | job, run, timestamp (and state, attempt) |
| numInputRows | rows_in (and rows_out) |
| inputRowsPerSecond, processedRowsPerSecond | rows_in_per_second, rows_out_per_second |
| durationMs | checkpoint: seconds of align, flush, upload, commit |
| eventTime.watermark | event_time: watermark, watermark_ms |
| stateOperators | state: bytes per chain |
| sources[].startOffset, endOffset, latestOffset | sources[].splits[]: position, lag_rows |
| sink | sinks[] |
| status.message | why_waiting; culprits for what is slow |
"""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from raystream.observe.json_form import to_json
from raystream.observe.rates import rates, step_rate
from raystream.observe.status import DROPPED, SplitStatus, StatusDocument, StepStatus
from raystream.observe.waiting import why_waiting
from raystream.observe.words import LAST_INSTANT


def progress(status: StatusDocument, before: StatusDocument | None = None) -> dict[str, Any]:
    """Summarize what happened between two status documents, and what the job waits for.

    Args:
        status: Now.
        before: An earlier document of the same run, for rates; None: rates are None.

    >>> told = progress(StatusDocument("sale", "deploying"))
    >>> told["why_waiting"], told["rows_in_per_second"]
    ('Starting: subtasks are being opened', None)
    """
    rate = rates(status, before)
    return {
        "job": status.job,
        "run": status.run,
        "state": status.state,
        "attempt": status.attempt,
        "timestamp": iso(status.at_ms),
        "uptime_s": status.uptime_s,
        "over_s": rate.seconds,
        "rows_in": status.rows_read,
        "rows_out": status.rows_written,
        "rows_in_per_second": rate.rows_in,
        "rows_out_per_second": rate.rows_out,
        "bytes_in_per_second": rate.bytes_in,
        "bytes_out_per_second": rate.bytes_out,
        "event_time": _event_time(status),
        "sources": [_source(each, status, before) for each in status.steps if each.is_source],
        "sinks": [_sink(each, status, before) for each in status.steps if each.is_sink],
        "state_bytes": {each.name: each.state_bytes for each in status.chains},
        "state_disk_bytes": {each.name: each.state_disk_bytes for each in status.chains},
        "checkpoint": _checkpoint(status),
        "left_out": {name: status.total(name) for name in DROPPED},
        "restarts": status.restart_count,
        "why_waiting": why_waiting(status),
        "culprits": list(status.culprits),
    }


def iso(ms: int | None) -> str | None:
    """Epoch ms as ISO 8601 in UTC; None for values that are not a real time.

    >>> iso(1_700_000_000_123), iso(None), iso(2**63 - 1)
    ('2023-11-14T22:13:20.123Z', None, None)
    """
    if ms is None or abs(ms) > LAST_INSTANT // 8:
        return None
    text = datetime.fromtimestamp(ms / 1000, UTC).isoformat(timespec="milliseconds")
    return text.replace("+00:00", "Z")


def _event_time(status: StatusDocument) -> dict[str, Any]:
    return {
        "watermark": iso(status.watermark_ms),
        "watermark_ms": status.watermark_ms,
        "held_back_by": [each.split for each in status.splits if each.holds_back],
        "idle": [each.split for each in status.splits if each.idle],
    }


def _source(
    step: StepStatus, status: StatusDocument, before: StatusDocument | None
) -> dict[str, Any]:
    splits = [each for each in status.splits if each.step == step.name]
    lags = [each.lag_rows for each in splits if each.lag_rows is not None]
    seconds = [each.lag_seconds for each in splits if each.lag_seconds is not None]
    return {
        "step": step.name,
        "description": step.description,
        "rows": step.rows_out,
        "rows_per_second": step_rate(status, before, step.name, "rows_out"),
        "bytes": step.bytes_in,
        "lag_rows": sum(lags) if lags else None,
        "lag_seconds": max(seconds, default=None),
        "splits": [_split(each) for each in splits],
    }


def _split(split: SplitStatus) -> dict[str, Any]:
    told: dict[str, Any] = to_json(split)
    del told["step"]
    return told


def _sink(
    step: StepStatus, status: StatusDocument, before: StatusDocument | None
) -> dict[str, Any]:
    open_ones = [each for each in status.transactions if each.step == step.name]
    return {
        "step": step.name,
        "description": step.description,
        "rows": step.rows_in,
        "rows_per_second": step_rate(status, before, step.name, "rows_in"),
        "bytes": step.bytes_out,
        "open_transactions": len(open_ones),
        "oldest_transaction_s": max((each.age_s for each in open_ones), default=0.0),
    }


def _checkpoint(status: StatusDocument) -> dict[str, Any]:
    told: dict[str, Any] = to_json(status.checkpoint)
    history = told.pop("history")
    completed = [each for each in history if each["state"] == "completed"]
    times = ("align_s", "sync_s", "flush_s", "upload_s")
    return {**told, **{name: completed[-1][name] if completed else None for name in times}}
