"""Rows that a step leaves out, as short texts for the status."""

from __future__ import annotations

import json
import math
from collections.abc import Iterable, Mapping
from typing import Any

import polars as pl

from raystream.context import LeftOut
from raystream.ids import HIDDEN

MOST = 3
"""More are never kept."""


def left_out(frame: pl.DataFrame, reason: str = "") -> list[LeftOut]:
    """The first few rows of a frame, user columns only.

    >>> left_out(pl.DataFrame({"ip": ["a"], f"{HIDDEN}time": [7]}))
    [LeftOut(row='{"ip": "a"}', reason='', origin='')]
    """
    user = [name for name in frame.columns if not name.startswith(HIDDEN)]
    return rows_left_out(frame.head(MOST).select(user).to_dicts(), reason)


def rows_left_out(rows: Iterable[Mapping[str, Any]], reason: str = "") -> list[LeftOut]:
    """The same of rows that are dicts already."""
    return [LeftOut(row_json(row), reason) for row, _ in zip(rows, range(MOST), strict=False)]


def row_json(row: Mapping[str, Any]) -> str:
    """A row as JSON, whatever its values are: what JSON does not have is written as text.

    >>> import datetime
    >>> row_json({"ip": "a", "x": float("nan"), "at": datetime.date(2024, 5, 1)})
    '{"ip": "a", "x": null, "at": "2024-05-01"}'
    """
    return json.dumps(_plain(row), default=str, ensure_ascii=False)


def _plain(value: Any) -> Any:
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if isinstance(value, Mapping):
        return {str(name): _plain(inner) for name, inner in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(inner) for inner in value]
    if isinstance(value, bytes):
        return value.decode("utf-8", "backslashreplace")
    return value if isinstance(value, str | int | None) else _text(value)


def _text(value: Any) -> str:
    return value.isoformat() if hasattr(value, "isoformat") else str(value)


def raw(value: bytes | None) -> str:
    """A raw record for people.

    >>> raw(b'{"ip": 1'), raw(None)
    ('{"ip": 1', 'null')
    """
    return "null" if value is None else value[:1000].decode("utf-8", "replace")
