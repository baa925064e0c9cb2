"""Rows of every type, with the values at which faults sit: null, empty, -0.0, NaN."""

from __future__ import annotations

import random
from collections.abc import Mapping, Sequence
from datetime import date, datetime, time, timedelta
from decimal import Decimal
from typing import Any

from raystream.testing import CRASH, PAUSE

Row = dict[str, Any]

PLAIN: Mapping[str, Sequence[Any]] = {
    "k": (None, "", "a", "b", "ß", "c"),
    "g": (None, -1, 0, 1, 2),
    "n": (None, 0, -1, 5, 7, 10**6, 2**40),
    "x": (None, 0.0, -0.0, 1.5, -2.25, 1e10, float("nan"), float("inf")),
    "f": (None, True, False),
}
PLAIN_TYPES = {"at": "int", "id": "int", "k": "string", "g": "int", "n": "int"} | {
    "x": "float",
    "f": "bool",
}
ODD: Mapping[str, Sequence[Any]] = {
    "price": (None, Decimal("0.00"), Decimal("-1.50"), Decimal("99999999.99")),
    "day": (None, date(1970, 1, 1), date(2024, 2, 29), date(1, 1, 1)),
    "took": (None, timedelta(0), timedelta(seconds=-3), timedelta(days=9, microseconds=5)),
    "raw": (None, b"", b"\x00", b"\xff\x00a"),
    "seen": (None, datetime(1970, 1, 1), datetime(2024, 2, 29, 1, 2, 3, 4)),  # noqa: DTZ001
    "clock": (None, time(0), time(23, 59, 59, 999999)),
    "list": (None, [], [1], [1, None, 2], [2, 1]),
}
ODD_TYPES: Mapping[str, Any] = {
    "price": "decimal(18,2)",
    "day": "date",
    "took": "duration",
    "raw": "binary",
    "seen": "datetime",
    "clock": "time",
    "list": list[int],
}

STEP_MS, OUT_OF_ORDER_MS = 2800, 3600
"""A row about every 3 s, so that windows of 5 s to 1 min close; less than a source allows."""


def some_rows(chance: random.Random, number: int, source: int, odd: Sequence[str]) -> list[Row]:
    """Rows of one source; no two have the same event time, not even with those of another."""
    rows = []
    for n in range(number):
        jitter = chance.randint(-OUT_OF_ORDER_MS // 4, OUT_OF_ORDER_MS // 4)
        at = 4000 + n * STEP_MS + jitter * 4 + source
        values = {name: chance.choice(PLAIN[name]) for name in PLAIN}
        others = {name: chance.choice(ODD[name]) for name in odd}
        rows.append({"at": at, "id": source * 100_000 + n, **values, **others})
    return list({row["at"]: row for row in rows}.values())


def interrupted(chance: random.Random, rows: Sequence[Row]) -> list[Any]:
    """With crashes and checkpoints at any places."""
    found: list[Any] = list(rows)
    for _ in range(chance.randint(0, 3)):
        found.insert(chance.randint(0, len(found)), chance.choice([CRASH, CRASH, PAUSE]))
    return found
