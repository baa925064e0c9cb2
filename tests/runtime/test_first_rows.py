"""Behind a row function a misspelt column is told before anything runs, at the user's line."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

import raystream as rs
from raystream.errors import ConfigurationError

ROWS = [{"ts": 1000 * n, "ip": "ab"[n % 2]} for n in range(6)]

MISTAKES: dict[str, tuple[Callable[[rs.Stream], Any], str]] = {
    "filter": (lambda s: s.filter("aa > 0"), "no column 'aa'.*; did you mean 'a'"),
    "key_by": (lambda s: s.key_by("aa"), "no column 'aa'; did you mean 'a'"),
    "select": (lambda s: s.select("a", "bb"), "no column 'bb'; did you mean 'b'"),
    "agg": (
        lambda s: s.key_by("a").window(rs.tumbling("1m")).agg(n=rs.sum("c")),
        "no column 'c'; columns: a, b",
    ),
    "window without key": (
        lambda s: s.window(rs.tumbling("1m")).agg(n=rs.sum("b")),
        "n: sum of String",
    ),
}


@pytest.mark.parametrize("verb", MISTAKES)
def test_a_mistake_behind_a_row_function_names_the_users_line(tmp_path: Path, verb: str) -> None:
    build, message = MISTAKES[verb]
    p = rs.Pipeline("job", checkpoint_storage=str(tmp_path))
    mapped = p.read(rs.Rows(ROWS), event_time="ts").map(lambda row: {"a": 1, "b": row["ip"]})
    build(mapped).write(rs.Collect())
    with pytest.raises(ConfigurationError, match=rf"test_first_rows\.py:\d+: {message}"):
        p.run(until="latest", local=True)


def test_what_is_right_runs(tmp_path: Path) -> None:
    out = rs.Collect()
    p = rs.Pipeline("job", checkpoint_storage=str(tmp_path))
    mapped = p.read(rs.Rows(ROWS), event_time="ts").map(lambda row: {"a": 1, "b": row["ip"]})
    mapped.key_by("b").window(rs.tumbling("1m")).agg(n=rs.sum("a")).write(out)
    p.run(until="latest", local=True)
    assert sorted((row["b"], row["n"]) for row in out.rows()) == [("a", 3), ("b", 3)]


def test_files_hold_the_columns_that_the_rows_told(tmp_path: Path) -> None:
    p = rs.Pipeline("job", checkpoint_storage=str(tmp_path / "state"))
    mapped = p.read(rs.Rows(ROWS[:2]), event_time="ts").map(lambda row: {"b": row["ip"]})
    mapped.write(rs.Files(tmp_path / "json"))
    mapped.write(rs.Files(tmp_path / "csv", format="csv"))
    p.run(until="latest", local=True)
    (json_part,) = (tmp_path / "json").iterdir()
    (csv_part,) = (tmp_path / "csv").iterdir()
    assert json_part.read_text() == '{"b":"a"}\n{"b":"b"}\n'
    assert csv_part.read_text() == "b\na\nb\n"


def test_a_union_of_different_columns_is_told(tmp_path: Path) -> None:
    p = rs.Pipeline("job", checkpoint_storage=str(tmp_path))
    rows = p.read(rs.Rows(ROWS), event_time="ts")
    one, other = rows.map(lambda row: {"a": 1}), rows.map(lambda row: {"b": row["ip"]})
    one.union(other).write(rs.Files(tmp_path / "out"))
    with pytest.raises(
        ConfigurationError, match=r"union of different columns: \((a Int64|b String)\) and"
    ):
        p.run(until="latest", local=True)
