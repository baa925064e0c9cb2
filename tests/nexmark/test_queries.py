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

import raystream as rs
from raystream.testing import CRASH, PAUSE, feed
from tests.nexmark.answers import KEYS, SQL, WHOLE, answer
from tests.nexmark.jobs import PARTITIONED, QUERIES, job, query_of
from tests.support.partitions import values_of

EVENTS = {
    name: Path(__file__).parent / "events" / f"{name}.jsonl.gz"
    for name in ("person", "auction", "bid")
}
"""15 s of one morning and the 35 s around the midnight after it, out of order by up to 3.7 s."""


def lines_of(file: Path) -> list[str]:
    """Events as JSON, in the order in which they arrive."""
    data = file.read_bytes()
    return (gzip.decompress(data) if file.suffix == ".gz" else data).decode().splitlines()


def read_events(directory: Path | None) -> dict[str, Path]:
    """Files by kind: those of a directory, else the ones kept here."""
    return EVENTS if directory is None else {n: directory / f"{n}.jsonl" for n in EVENTS}


@cache
def lines(name: str) -> list[str]:
    return lines_of(EVENTS[name])


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


def difference(
    query: str, rows: Sequence[Mapping[str, Any]], files: Mapping[str, Path] = EVENTS
) -> str:
    """What is missing or too much, compared as a multiset with the right answer; empty: nothing."""
    right = answer(query, files)
    columns = list(right[0])
    got = Counter(canonical(row, columns) for row in folded(rows, KEYS.get(query, ())))
    want = Counter(canonical(row, columns) for row in right)
    parts = {"missing": want - got, "too much": got - want}
    return "; ".join(
        f"{sum(rows.values())} {what} of {columns}: {list(rows.items())[:3]}"
        for what, rows in parts.items()
        if rows
    )


def rows_of_files(directory: Path) -> list[dict[str, Any]]:
    """Rows of JSON lines, with the values that are in the names of directories."""
    return [
        {**json.loads(line), **values_of(str(path.parent.relative_to(directory)))}
        for path in directory.rglob("part-*")
        for line in path.read_text().splitlines()
    ]


def same(query: str, rows: Sequence[Mapping[str, Any]]) -> None:
    """Whether the rows are those of the right answer, as a multiset."""
    assert difference(query, rows) == ""


def test_every_query_is_one_of_nexmark() -> None:
    assert QUERIES.keys() <= SQL.keys()


def test_a_doubled_row_shows_unless_rows_replace_each_other() -> None:
    right = {query: answer(query, EVENTS) for query in ("q2", "q12", "q17")}
    for query, rows in right.items():
        assert difference(query, rows) == ""
        assert difference(query, rows[1:]).startswith("1 missing of")
        assert ("1 too much of" in difference(query, [*rows, rows[0]])) == (query not in KEYS)


WIDTHS = [(1, 2), (4, 2), (2, 4)]


@pytest.mark.parametrize(
    ("query", "widths"),
    [(query, WIDTHS[number % len(WIDTHS)]) for number, query in enumerate(QUERIES)],
)
def test_the_answer_is_that_of_duckdb(query: str, widths: tuple[int, int]) -> None:
    """State is in a checkpoint at a third of the rows; what follows is read again, rescaled."""
    p = job(query)
    read = [node for node in p.graph().nodes if node.step.source is not None]
    sources = [node.name for node in read if node.name in EVENTS]
    given: dict[str, Any] = {name: events(name) for name in sources}
    if query == "q13":
        given["side"] = [{"key": n, "value": str(n)} for n in range(10_000)]
    rows, third = given[sources[-1]], len(given[sources[-1]]) // 3
    given[sources[-1]] = [*rows[:third], PAUSE, *rows[third : 2 * third], CRASH, *rows[2 * third :]]
    same(query, feed(p, given, parallelism=widths)[query])


@pytest.mark.parametrize("query", PARTITIONED)
def test_the_files_of_a_query_hold_its_answer(query: str, tmp_path: Path) -> None:
    """Each bid once, in the directory of its day and minute."""
    for name in EVENTS:
        (tmp_path / f"{name}.jsonl").write_text("\n".join(lines(name)) + "\n")
    p = rs.Pipeline(query, checkpoint_storage=str(tmp_path / "store"), checkpoint_interval="50ms")
    result = query_of(query, p, lambda kind: rs.Files(tmp_path / f"{kind}.jsonl"))
    result.write(rs.Files(tmp_path / "out", partition_by=PARTITIONED[query]))
    assert p.run(local=True, until="latest").kind == "finished"
    same(query, rows_of_files(tmp_path / "out"))
    days = {path.name for path in (tmp_path / "out").iterdir() if not path.name.startswith(".")}
    assert days == {f"dt={row['dt']}" for row in answer(query, EVENTS)}
