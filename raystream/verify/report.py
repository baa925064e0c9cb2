"""A comparison in words: the first rows of the answer, and what differs."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from raystream.verify.compare import Comparison

EXAMPLES = 5


def first_rows(rows: Sequence[Mapping[str, Any]], count: int = EXAMPLES) -> str:
    """The first rows as an aligned table.

    >>> print(first_rows([{"ip": "10.0.0.1", "count": 7}, {"ip": "b", "count": 12}]))
    ip        count
    10.0.0.1  7
    b         12
    """
    if not rows:
        return "(no rows)"
    names = list(rows[0])
    cells = [names, *([str(row.get(name)) for name in names] for row in rows[:count])]
    widths = [max(len(line[place]) for line in cells) for place in range(len(names))]
    return "\n".join(
        "  ".join(cell.ljust(width) for cell, width in zip(line, widths, strict=True)).rstrip()
        for line in cells
    )


def report(comparison: Comparison) -> str:
    """The verdict, with examples of what differs.

    >>> print(report(Comparison(2, 1, missing=({"ip": "a"},))))
    missing: {'ip': 'a'}
    2 rows expected, 1 found: 1 missing, 0 duplicated, 0 wrong
    """
    examples = [
        f"{kind}: {row}"
        for kind in ("missing", "duplicated", "wrong")
        for row in getattr(comparison, kind)[:EXAMPLES]
    ]
    found = f"{comparison.expected} rows expected, {comparison.actual} found: {comparison}"
    return "\n".join([*examples, found])
