"""JSON that every reader takes: no NaN, and numbers that JavaScript would round as text."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from typing import Any


def dumps(value: Any) -> str:
    r"""As JSON; NaN and infinities as text, and so are times, decimals and bytes.

    >>> dumps({"n": [1.5, float("nan")], "raw": b"x", None: True})
    '{"n": [1.5, "NaN"], "raw": "b\'x\'", "null": true}'
    """
    try:
        return json.dumps(value, default=str, allow_nan=False)
    except ValueError:
        return json.dumps(_finite(value), default=str, allow_nan=False)


def as_text(row: Mapping[str, Any]) -> dict[str, str | None]:
    """A row for a page: every value as text, as JavaScript would round large whole numbers.

    >>> as_text({"id": 2**60 + 1, "ip": "10.0.0.1", "tags": ["a"], "x": None, "ok": True})
    {'id': '1152921504606846977', 'ip': '10.0.0.1', 'tags': '["a"]', 'x': None, 'ok': 'true'}
    """
    return {str(name): _text(value) for name, value in row.items()}


def _text(value: Any) -> str | None:
    if value is None or isinstance(value, str):
        return value
    if isinstance(value, bool | int | float | Mapping | list | tuple):
        return json.dumps(value, default=str, ensure_ascii=False)
    return str(value)


def _finite(value: Any) -> Any:
    if isinstance(value, float) and not math.isfinite(value):
        return "NaN" if math.isnan(value) else "Infinity" if value > 0 else "-Infinity"
    if isinstance(value, Mapping):
        return {name: _finite(each) for name, each in value.items()}
    return [_finite(each) for each in value] if isinstance(value, list | tuple) else value
