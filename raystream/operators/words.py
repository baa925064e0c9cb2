"""Format durations, functions and connectors for explain and automatic names."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from raystream.graph.aggregates import Aggregate


def duration(ms: int) -> str:
    """In the largest unit that divides it.

    >>> duration(3_600_000), duration(1500)
    ('1h', '1500ms')
    """
    for unit, size in (("d", 86_400_000), ("h", 3_600_000), ("m", 60_000), ("s", 1000)):
        if ms % size == 0:
            return f"{ms // size}{unit}"
    return f"{ms}ms"


def place(described: str) -> str:
    """The last part of the description of a source or sink.

    >>> place("kafka topic requests"), place("files /data/in/*.json")
    ('requests', '*.json')
    """
    words = described.split()
    return words[-1].rstrip("/").rpartition("/")[2] if words else ""


def column(written: Any) -> str:
    """Output name of a selected column."""
    return written if isinstance(written, str) else str(written.meta.output_name())


def copied(written: Any) -> str | None:
    """The column whose values an expression gives unchanged, or None.

    Args:
        written: pl.Expr, or text that may be the name of a column.

    >>> copied(rs.col("n").alias("m")), copied("n"), copied(rs.col("n") + 1) is None
    ('n', 'n', True)
    """
    if isinstance(written, str):
        return written
    meta = getattr(written, "meta", None)
    plain = None if meta is None else meta.undo_aliases()
    return str(plain.meta.output_name()) if plain is not None and plain.meta.is_column() else None


def function_name(function: object) -> str:
    """Name of a function, if it has one.

    >>> function_name(len), function_name(lambda row: row)
    ('len', '')
    """
    name = getattr(function, "__name__", "")
    return "" if name == "<lambda>" else name


def function(verb: str, given: object) -> str:
    """Description of a step with one function.

    >>> function("map", len)
    'map len'
    """
    described = getattr(given, "described", "")
    if described:
        return str(described)
    named = getattr(given, "__name__", type(given).__name__)
    return f"{verb} {named.replace('<lambda>', 'lambda')}"


def meaning_of(aggregates: Mapping[str, Aggregate]) -> dict[str, str]:
    """What aggregates compute, for people and for the comparison of a restore.

    >>> meaning_of({"n": rs.count(), "high": rs.max("x", where="x > 0")})
    {'n': 'count()', 'high': 'max(x) where x > 0'}
    """
    return {name: aggregate.words() for name, aggregate in aggregates.items()}
