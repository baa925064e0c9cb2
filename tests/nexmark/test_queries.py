"""Every query of Nexmark on real events, against DuckDB: after a crash, over a rescale."""

from __future__ import annotations

import gzip
import json
from collections import Counter
from collections.abc import Mapping, Sequence
from decimal import Decimal
from functools import cache
from pathlib import Path
from typing import Any

import pytest

from raystream.testing import CRASH, PAUSE, feed
from tests.nexmark.answers import KEYS, SQL, WHOLE, answer
from tests.nexmark.jobs import QUERIES, job

EVENTS = {
    name: Path(__file__).parent / "events" / f"{name}.jsonl.gz"
    for name in ("person", "auction", "bid")
}
"""15 s of one morning and the 35 s around the midnight after it, out of order by up to 3.7 s."""


@cache
def lines(name: str) -> list[str]:
    """Events as JSON, in the order in which they arrive."""
    with gzip.open(EVENTS[name], "rt", encoding="utf-8") as file:
        return file.read().splitlines()


@cache
def events(name: str) -> list[dict[str, Any]]:
    return [json.loads(line) for line in lines(name)]


def canonical(row: Mapping[str, Any], columns: Sequence[str]) -> tuple[Any, ...]:
    """A row as it is compared: whole averages without fraction, decimals with three digits."""
    return tuple(
        int(row[name]) if name in WHOLE
        else f"{row[name]:.3f}" if isinstance(row[name], Decimal)
        else row[name]
        for name in columns
    )  # fmt: skip


def folded(rows: Sequence[Mapping[str, Any]], key: Sequence[str]) -> list[Mapping[str, Any]]:
    """The last row of each key; without key all of them, so that a doubled row shows."""
    if not key:
        return list(rows)
    return list({tuple(row[name] for name in key): row for row in rows}.values())


def same(query: str, rows: Sequence[Mapping[str, Any]]) -> None:
    """Whether the rows are those of the right answer, as a multiset."""
    right = answer(query, EVENTS)
    columns = list(right[0])
    got = Counter(canonical(row, columns) for row in folded(rows, KEYS.get(query, ())))
    want = Counter(canonical(row, columns) for row in right)
    assert not (want - got), f"missing of {columns}: {list((want - got).items())[:3]}"
    assert not (got - want), f"too much of {columns}: {list((got - want).items())[:3]}"


def test_every_query_is_one_of_nexmark() -> None:
    assert QUERIES.keys() <= SQL.keys()


WIDTHS = [(1, 2), (4, 2), (2, 4)]


@pytest.mark.parametrize(
    ("query", "widths"),
    [(query, WIDTHS[number % len(WIDTHS)]) for number, query in enumerate(QUERIES)],
)
def test_the_answer_is_that_of_duckdb(query: str, widths: tuple[int, int]) -> None:
    """State is in a checkpoint at a third of the rows; what follows is read again, rescaled."""
    p = job(query)
    sources = [node.name for node in p.graph().nodes if node.step.source is not None]
    given: dict[str, Any] = {name: events(name) for name in sources}
    rows, third = given[sources[-1]], len(given[sources[-1]]) // 3
    given[sources[-1]] = [*rows[:third], PAUSE, *rows[third : 2 * third], CRASH, *rows[2 * third :]]
    same(query, feed(p, given, parallelism=widths)[query])
