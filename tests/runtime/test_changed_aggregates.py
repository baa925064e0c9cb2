"""A job whose aggregates or columns changed continues rightly, or is refused with the way out."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

import raystream as rs
from raystream.errors import ConfigurationError, JobFailed


def total(home: Path, kind: str, **aggregates: Any) -> rs.Collect:
    """Run once over the files that are there."""
    p, out = rs.Pipeline("changed", checkpoint_storage=str(home / "kept")), rs.Collect()
    schema = {"k": "string", "v": kind, "ts": "int"}
    read = p.read(rs.Files(home / "in"), event_time="ts", schema=schema, name="in").key_by("k")
    read.aggregate(name="agg", **aggregates).write(out, changes="upsert", name="out")
    p.run(until="latest", local=True)
    return out


def put(home: Path, name: str, values: list[Any]) -> None:
    (home / "in").mkdir(exist_ok=True)
    rows = [{"k": "a", "v": value, "ts": n} for n, value in enumerate(values)]
    (home / "in" / name).write_text("\n".join(map(json.dumps, rows)))


def test_an_aggregate_that_never_ends_takes_no_other(tmp_path: Path) -> None:
    """It would count the rows from now on, and be wrong for ever."""
    put(tmp_path, "a.jsonl", [1, 2])
    assert total(tmp_path, "int", s=rs.sum("v")).rows() == [{"k": "a", "s": 3}]
    put(tmp_path, "b.jsonl", [3])
    with pytest.raises(ConfigurationError) as error:
        total(tmp_path, "int", s=rs.sum("v"), n=rs.count())
    assert "aggregates was {'s': 'sum(v)'}, is {'s': 'sum(v)', 'n': 'count()'}" in str(error.value)
    assert "give the step another name" in str(error.value)
    assert total(tmp_path, "int", s=rs.sum("v")).rows() == [{"k": "a", "s": 6}]


def test_another_type_of_a_sum_is_told_by_the_name_of_its_column(tmp_path: Path) -> None:
    put(tmp_path, "a.jsonl", [1, 2])
    total(tmp_path, "int", s=rs.sum("v"))
    put(tmp_path, "b.jsonl", [3])
    with pytest.raises(JobFailed, match=r"\(groups\) have 's' of type Int128, which is Float64"):
        total(tmp_path, "float", s=rs.sum("v"))
