"""Which key a stream has: named, taken off, lost with a column; in Python and YAML."""

from __future__ import annotations

from typing import Any

import pytest

import raystream as rs
from raystream.testing import feed

SCHEMA = {"ts": "int", "ip": "string", "n": "int"}
ROWS = [{"ts": 1000 * n, "ip": "ab"[n % 2], "n": 1} for n in range(6)]


def counts(p: rs.Pipeline) -> Any:
    rows = p.read(rs.Rows([]), event_time="ts", schema=SCHEMA, name="rows")
    return rows.key_by("ip").window(rs.tumbling("1m")).agg(n=rs.count())


@pytest.mark.parametrize(
    ("verb", "key"),
    [
        (lambda s: s, ("ip",)),
        (lambda s: s.key_by(), ()),
        (lambda s: s.drop("ip"), ()),
        (lambda s: s.drop("window_start"), ("ip",)),
        (lambda s: s.select("n"), ()),
        (lambda s: s.select(rs.col("n"), rs.col("ip")), ("ip",)),
        (lambda s: s.key_by().key_by("ip"), ("ip",)),
    ],
    ids=["kept", "taken off", "dropped", "other dropped", "not selected", "selected", "again"],
)
@pytest.mark.parametrize("parallelism", [1, 2])
def test_a_second_window_is_by_the_key_that_is_left(verb: Any, key: Any, parallelism: int) -> None:
    p = rs.Pipeline("keys")
    stream = verb(counts(p))
    assert stream.key == key
    stream.window(rs.tumbling("10m")).agg(total=rs.sum("n")).write(rs.Collect(), name="out")
    out = feed(p, {"rows": ROWS}, parallelism=parallelism)["out"]
    assert sorted(row["total"] for row in out) == ([3, 3] if key else [6])
    assert all(("ip" in row) == bool(key) for row in out)


def test_explain_says_where_the_key_is_lost() -> None:
    p = rs.Pipeline("keys")
    counts(p).drop("ip", name="less").write(rs.Collect(), name="out")
    assert "less: drop ip, no key any more (it was ip)" in p.explain()


def test_a_row_function_may_take_the_key_away() -> None:
    p = rs.Pipeline("keys")
    less = counts(p).map(lambda row: {"n": row["n"]}, schema={"n": "int"}, name="less")
    less.key_by().window(rs.tumbling("10m")).agg(total=rs.sum("n")).write(rs.Collect(), name="out")
    assert [row["total"] for row in feed(p, {"rows": ROWS})["out"]] == [6]
    assert "no key any more (it was ip)" in p.explain()
