"""Rows that a step leaves out, as short texts for the status."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from typing import Any

import polars as pl

from raystream.context import LeftOut
from raystream.ids import HIDDEN

MOST = 3
"""More are never kept."""


def left_out(frame: pl.DataFrame, reason: str = "") -> list[LeftOut]:
    """The first few rows of a frame, user columns only.

    >>> left_out(pl.DataFrame({"ip": ["a"], "__time": [7]}))
    [LeftOut(row='{"ip": "a"}', reason='', origin='')]
    """
    user = [name for name in frame.columns if not name.startswith(HIDDEN)]
    return rows_left_out(frame.head(MOST).select(user).to_dicts(), reason)


def rows_left_out(rows: Iterable[Mapping[str, Any]], reason: str = "") -> list[LeftOut]:
    """The same of rows that are dicts already."""
    return [
        LeftOut(json.dumps(row, default=str, ensure_ascii=False), reason)
        for row, _ in zip(rows, range(MOST), strict=False)
    ]


def raw(value: bytes | None) -> str:
    """A raw record for people.

    >>> raw(b'{"ip": 1'), raw(None)
    ('{"ip": 1', 'null')
    """
    return "null" if value is None else value[:1000].decode("utf-8", "replace")
