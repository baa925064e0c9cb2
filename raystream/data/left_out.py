"""Rows that a step leaves out, as short texts for the status."""

from __future__ import annotations

import json
import math
import re
from collections.abc import Iterable, Mapping
from typing import Any

import polars as pl

from raystream.context import LeftOut
from raystream.data.beyond_python import shown_rows
from raystream.data.values import FOREIGN, shown
from raystream.ids import HIDDEN

MOST = 3
"""More are never kept."""


def left_out(frame: pl.DataFrame, reason: str = "") -> list[LeftOut]:
    """The first few rows of a frame, user columns only.

    >>> left_out(pl.DataFrame({"ip": ["a"], f"{HIDDEN}time": [7]}))
    [LeftOut(row='{"ip": "a"}', reason='', origin='')]
    """
    user = [name for name in frame.columns if not name.startswith(HIDDEN)]
    return rows_left_out(shown_rows(frame.head(MOST).select(user)), reason)


def rows_left_out(rows: Iterable[Mapping[str, Any]], reason: str = "") -> list[LeftOut]:
    """The same of rows that are dicts already."""
    first = (row for row, _ in zip(rows, range(MOST), strict=False))
    return [LeftOut(row_json(redacted(row)), reason) for row in first]


_SECRET = re.compile(
    "passw|secret|token|credential|api_?key|private_?key|authorization|cookie", re.IGNORECASE
)


def redacted(row: Mapping[str, Any]) -> dict[str, Any]:
    """A row for people, without texts that are secret by the name of their field, at any depth.

    >>> redacted({"ip": "a", "login": {"user": "b", "Password": "hunter2"}, "tokens": 3})
    {'ip': 'a', 'login': {'user': 'b', 'Password': '***'}, 'tokens': 3}
    """
    return {name: _without_secret(str(name), value) for name, value in row.items()}


def _without_secret(name: str, value: Any) -> Any:
    if isinstance(value, Mapping):
        return redacted(value)
    if isinstance(value, list | tuple):
        return [_without_secret(name, inner) for inner in value]
    return "***" if isinstance(value, str | bytes) and _SECRET.search(name) else value


def row_json(row: Mapping[str, Any]) -> str:
    """A row as JSON, whatever its values are: what JSON does not have is written as text.

    >>> import datetime
    >>> row_json({"ip": "a", "x": float("nan"), "at": datetime.date(2024, 5, 1)})
    '{"ip": "a", "x": null, "at": "2024-05-01"}'
    """
    try:
        return json.dumps(_plain(row), default=str, ensure_ascii=False)
    except FOREIGN:
        return json.dumps(shown(row))


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
    try:
        return value.isoformat() if hasattr(value, "isoformat") else str(value)
    except FOREIGN:
        return shown(value)


def raw(value: bytes | None) -> str:
    """A raw record for people.

    >>> raw(b'{"ip": 1'), raw(None)
    ('{"ip": 1', 'null')
    """
    return "null" if value is None else value[:1000].decode("utf-8", "replace")
