"""Keys of a job that runs again: rescaled they meet again, with another type they are refused."""

from __future__ import annotations

import json
from collections import Counter
from pathlib import Path
from typing import Any

import pytest

import raystream as rs
from raystream.connectors.collect import Collect
from raystream.connectors.files.source import Files
from raystream.errors import ConfigurationError
from tests.runs import Running, running

ROWS = 60
NOW = 1_700_000_000_000


def write(directory: Path, number: int, keys: list[Any]) -> None:
    directory.mkdir(exist_ok=True)
    path = directory / f"{number}.jsonl"
    text = "".join(json.dumps({"k": key, "ts": NOW + n}) + "\n" for n, key in enumerate(keys))
    path.with_suffix(".tmp").write_text(text)
    path.with_suffix(".tmp").replace(path)


def counting(directory: Path, out: Collect, kind: str, *, by_function: bool = False) -> rs.Pipeline:
    p = rs.Pipeline("keys", checkpoint_interval="100ms")
    source = Files(directory / "*.jsonl", tail=True, discovery_interval="100ms")
    late = rs.Watermark(out_of_orderness="60s", idle_timeout="10m")
    rows = p.read(
        source, schema={"k": kind, "ts": "int"}, event_time="ts", watermark=late, name="read"
    )
    keyed = rows.key_by(key=lambda row: row["k"]) if by_function else rows.key_by(key="k")
    keyed.window(rs.tumbling("1m")).agg(n=rs.count()).write(out, name="out")
    return p


def rows_read(run: Running) -> int:
    steps = [] if run.status is None else run.status.steps
    return sum(step.rows_out for step in steps if step.name == "read")


def stopped(p: rs.Pipeline, store: Path, rows: int, width: int) -> None:
    """Run until so many rows of this run are read, and stop with the window open."""
    with running(p, store, parallelism=width) as run:
        run.until(lambda: rows_read(run) >= rows)
        assert run.stop().kind == "stopped"


@pytest.mark.parametrize("by_function", [False, True])
@pytest.mark.parametrize(
    ("kind", "keys"),
    [("float", [0.0, -0.0, 1.5, None]), ("string", ["é", "e\u0301", None]), ("bool", [True, None])],
)
def test_keys_meet_again_after_a_rescale(
    tmp_path: Path, kind: str, keys: list[Any], by_function: bool
) -> None:
    out, given = Collect(), [keys[n % len(keys)] for n in range(ROWS)]
    for number, width in enumerate([2, 4]):
        write(tmp_path / "in", number, given)
        p = counting(tmp_path / "in", out, kind, by_function=by_function)
        stopped(p, tmp_path / "store", ROWS, width)
    assert out.rows() == []
    write(tmp_path / "in", 2, given)
    p = counting(tmp_path / "in", out, kind, by_function=by_function)
    assert (
        p.run(until="latest", local=True, checkpoint_storage=str(tmp_path / "store")).kind
        == "finished"
    )
    wanted = Counter({key: 3 * n for key, n in Counter(given).items()})
    assert {row["key"]: row["n"] for row in out.rows()} == wanted
    assert len(out.rows()) == len(wanted)


def kept(store: Path) -> list[str]:
    return sorted(str(path) for path in store.rglob("*"))


def test_another_type_of_a_key_is_refused(tmp_path: Path) -> None:
    out = Collect()
    write(tmp_path / "in", 0, [n % 5 for n in range(ROWS)])
    stopped(counting(tmp_path / "in", out, "int"), tmp_path / "store", ROWS, 2)
    again, was = counting(tmp_path / "in", out, "float"), kept(tmp_path / "store")
    with pytest.raises(ConfigurationError) as error:
        again.run(local=True, checkpoint_storage=str(tmp_path / "store"))
    assert error.value.exit_code == 2
    assert "key types was {'key': 'Int64'}, is {'key': 'Float64'}" in str(error.value)
    assert "--allow-non-restored-state" in str(error.value)
    assert kept(tmp_path / "store") == was  # nothing ran, not even a recovery
    assert out.rows() == []
