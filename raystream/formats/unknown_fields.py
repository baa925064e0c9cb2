"""Fields of records that no column takes: how often they are seen, in a share of the records."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import msgspec
import polars as pl

EVERY = 200
"""Of a long stream one record in so many is looked at: less than 3 % of what decoding costs."""

AT_LEAST = 4
"""Looked at of each decode call: where records come one by one, all are."""

AT_FIRST = 2000
"""The first records are all looked at: what is short is counted exactly."""


class UnknownFields:
    """Looks for fields that are no columns, also within objects and lists of objects.

    Args:
        known: All columns of the source, needed or not.

    >>> UnknownFields({"n": pl.Int64()}).look([b'{"n": 1, "x": 2}', b'{"n": 1}', b"no JSON"])
    {'x': 1}
    """

    def __init__(self, known: Mapping[str, pl.DataType]) -> None:
        self._fields = _fields(known)
        self._left = AT_FIRST
        self._turn = 0

    def look(self, payloads: Sequence[bytes | None]) -> dict[str, int]:
        """Field -> how many of the records looked at have it."""
        return self.seen(payloads[self.places(len(payloads))])

    def seen(self, payloads: Sequence[bytes | None]) -> dict[str, int]:
        """Field -> how many of these records have it."""
        found: dict[str, int] = {}
        for payload in payloads:
            value = _object(payload)
            if type(value) is dict:
                for name in set(self._fields.unknown(value)):
                    found[name] = found.get(name, 0) + 1
        return found

    def places(self, number: int) -> slice:
        """Which of the next records to look at: all at first, then a few, each time others."""
        if number <= AT_LEAST:
            return slice(None)
        most = max(AT_LEAST, number // EVERY, min(self._left, number))
        self._left -= min(self._left, number)
        step = -(-number // most)
        self._turn += 1
        return slice(self._turn % step, None, step)


@dataclass(frozen=True, slots=True)
class _Fields:
    """Known fields of an object, and those of them that hold objects."""

    names: frozenset[str]
    nested: Sequence[tuple[str, _Fields]]

    def unknown(self, value: Mapping[str, Any], path: str = "") -> Iterator[str]:
        """Paths of the fields of an object that are none of these."""
        if not self.names.issuperset(value):
            yield from (path + name for name in value if name not in self.names)
        for name, within in self.nested:
            for each in _objects(value.get(name)):
                yield from within.unknown(each, f"{path}{name}.")


def _fields(columns: Mapping[str, Any]) -> _Fields:
    within = ((name, _within(dtype)) for name, dtype in columns.items())
    return _Fields(frozenset(columns), [(name, inner) for name, inner in within if inner])


def _within(dtype: Any) -> _Fields | None:
    while isinstance(dtype, pl.List):
        dtype = dtype.inner
    if isinstance(dtype, pl.Struct):
        return _fields({each.name: each.dtype for each in dtype.fields})
    return None


def _objects(value: Any) -> Iterator[Mapping[str, Any]]:
    if isinstance(value, dict):
        yield value
    elif isinstance(value, list):
        for item in value:
            yield from _objects(item)


def _object(payload: bytes | None) -> Any:
    try:
        return _decode(payload or b"")
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        return None


_decode: Callable[[bytes], Any] = msgspec.json.Decoder().decode


def beyond(there: Iterable[str], known: Iterable[str], rows: int) -> dict[str, int]:
    """The same where all records have the same fields: a line of CSV, a row of Parquet.

    >>> beyond(["a", "b"], ["a"], 7), beyond(["a"], ["a"], 7)
    ({'b': 7}, {})
    """
    columns = set(known)
    return {name: rows for name in there if name not in columns} if rows else {}
