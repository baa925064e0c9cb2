"""Python functions and readers of rows never see a time that is not the one of the row."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import polars as pl
import pytest

import raystream as rs
from raystream.errors import DataError

ROWS = [
    {"k": "a", "day": "0000-01-01", "at": "2024-01-01T00:00:00"},
    {"k": "a", "day": "+10000-01-01", "at": "2024-01-01T00:00:00"},
    {"k": "a", "day": "2024-01-01", "at": "2024-01-01T00:00:00.000000001"},
    {"k": "a", "day": "9999-12-31", "at": "2024-01-01T00:00:00.000001"},
]
SCHEMA = {"k": "string", "day": pl.Date(), "at": pl.Datetime("ns")}
OF_BOTH = rs.aggregate(
    lambda: 0, lambda n, day, at: n + day.year + at.year, lambda a, b: a + b, returns="int"
)
OF_ROW = rs.aggregate(
    lambda: 0, lambda n, row: n + row["day"].year, lambda a, b: a + b, returns="int"
)


def total(rows: Any, asked: Any) -> Any:
    never = rs.global_window(rs.trigger(count=10**9))
    return rows.key_by("k").window(never, errors="dlq").agg(n=asked)


def year(row: Any) -> Any:
    return {"n": row["day"].year}


VERBS: dict[str, Callable[[Any], Any]] = {
    "map": lambda rows: rows.map(year, schema={"n": "int"}, errors="dlq"),
    "filter": lambda rows: rows.filter(lambda row: row["day"].year > 0, errors="dlq"),
    "aggregate": lambda rows: total(rows, OF_BOTH("day", "at")),
    "aggregate of rows": lambda rows: total(rows, OF_ROW()),
}  # fmt: skip


@pytest.mark.parametrize("verb", VERBS)
def test_they_are_dead_letters(verb: str, tmp_path: Path) -> None:
    (tmp_path / "in.jsonl").write_text("\n".join(map(json.dumps, ROWS)))
    p, out, dead = rs.Pipeline("p", checkpoint_storage="memory://p"), rs.Collect(), rs.Collect()
    made = VERBS[verb](p.read(rs.Files(tmp_path / "in.jsonl"), schema=SCHEMA))
    made.write(out)
    made.errors.write(dead)
    p.run(until="latest", local=True, from_scratch=True)
    letters = [(json.loads(one["value"])["day"], one["reason"]) for one in dead.rows()]
    far = "column 'day' has a time that Python has not: it ends at the years 1 and 9999"
    fine = "column 'at' has nanoseconds, which datetime has not"
    assert letters == [("0000-01-01", far), ("+10000-01-01", far), ("2024-01-01", fine)]
    assert out.frame().height == 1


def test_rows_in_memory_tell_it(tmp_path: Path) -> None:
    (tmp_path / "in.jsonl").write_text(json.dumps(ROWS[0]))
    p, out = rs.Pipeline("q", checkpoint_storage="memory://q"), rs.Collect()
    p.read(rs.Files(tmp_path / "in.jsonl"), schema=SCHEMA).write(out)
    p.run(until="latest", local=True, from_scratch=True)
    with pytest.raises(DataError, match="column 'day' has a time .* use frame"):
        out.rows()
    assert out.frame()["day"].cast(pl.String).to_list() == ["0000-01-01"]
