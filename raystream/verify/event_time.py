"""Event time of one row by plain Python: what `evaluate` reckons with."""

from __future__ import annotations

import math
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from fractions import Fraction
from typing import Any
from zoneinfo import ZoneInfo

import polars as pl

Row = dict[str, Any]
_PER_SECOND = {"s": 1, "ms": 1000, "us": 1_000_000, "ns": 1_000_000_000}


def time_of(step: Any, row: Row) -> Any:
    """Event time of a row, epoch ms; None where the row has none.

    >>> from types import SimpleNamespace
    >>> step = SimpleNamespace(event_time="at.when", event_time_unit="s", time_zone=None)
    >>> time_of(step, {"at": {"when": 1.5}})
    1500
    """
    value = _value(step.event_time, row)
    if value is None:
        return None
    if isinstance(value, str):
        moment = datetime.fromisoformat(value)
        zone = ZoneInfo(step.time_zone) if step.time_zone else UTC
        return _ms(moment if moment.tzinfo else moment.replace(tzinfo=zone))
    if isinstance(value, datetime):
        return _ms(value if value.tzinfo else value.replace(tzinfo=UTC))
    exact = Fraction(value) * 1000 / _PER_SECOND[step.event_time_unit]
    return math.floor(exact if isinstance(value, int) else Fraction(round(exact * 1000), 1000))


def _value(written: Any, row: Row) -> Any:
    if not isinstance(written, str):
        return pl.DataFrame([row], infer_schema_length=None).select(written).item()
    if written in row:
        return row[written]
    value: Any = row
    for name in written.split("."):
        if not isinstance(value, Mapping) or name not in value:
            break
        value = value[name]
    else:
        return value
    if written.isidentifier():
        return None
    return pl.DataFrame([row], infer_schema_length=None).select(pl.sql_expr(written)).item()


def _ms(moment: datetime) -> int:
    return (moment - datetime(1970, 1, 1, tzinfo=UTC)) // timedelta(milliseconds=1)
