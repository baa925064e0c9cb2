"""Keys of a job that runs again: rescaled they meet again, with another type they are refused."""

from __future__ import annotations

import json
from collections import Counter
from pathlib import Path
from typing import Any

import polars as pl
import pytest

import raystream as rs
from raystream.connectors.collect import Collect
from raystream.connectors.files.source import Files
from raystream.errors import ConfigurationError
from tests.runs import Running, running

ROWS = 60
NOW = 1_700_000_000_000


def write(directory: Path, number: int, keys: list[Any], start: int = NOW) -> None:
    directory.mkdir(exist_ok=True)
    path = directory / f"{number}.jsonl"
    text = "".join(json.dumps({"k": key, "ts": start + n}) + "\n" for n, key in enumerate(keys))
    path.with_suffix(".tmp").write_text(text)
    path.with_suffix(".tmp").replace(path)


def counting(directory: Path, out: Collect, kind: str) -> rs.Pipeline:
    p = rs.Pipeline("keys", checkpoint_interval="100ms")
    source = Files(directory / "*.jsonl", tail=True, discovery_interval="100ms")
    late = rs.Watermark(out_of_orderness="60s", idle_timeout="10m")
    rows = p.read(
        source, schema={"k": kind, "ts": "int"}, event_time="ts", watermark=late, name="read"
    )
    rows.key_by(key="k").window(rs.tumbling("1m")).agg(n=rs.count()).write(out, name="out")
    return p


def rows_read(run: Running) -> int:
    steps = [] if run.status is None else run.status.steps
    return sum(step.rows_out for step in steps if step.name == "read")


def stopped(p: rs.Pipeline, store: Path, rows: int, width: int) -> None:
    """Run until so many rows of this run are read, and stop with the window open."""
    with running(p, store, parallelism=width) as run:
        run.until(lambda: rows_read(run) >= rows)
        assert run.stop().kind == "stopped"


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


class Kind:
    """Keys of one type: as the file has them, what makes the key of it, and which are one key."""

    def __init__(
        self, declared: Any, written: list[Any], same: list[int], make: Any = None
    ) -> None:
        self.declared, self.written, self.same, self.make = declared, written, same, make


DAY = "2024-03-31T"
KINDS = {
    "ms": Kind(
        "string", [f"{DAY}01:30:00.001", f"{DAY}01:30:00.002", None], [0, 1, 2],
        lambda c: c.str.to_datetime("%Y-%m-%dT%H:%M:%S%.f", time_unit="ms"),
    ),
    "zone": Kind(
        "timestamp",
        [f"{DAY}00:30:00Z", f"{DAY}02:30:00+02:00", f"{DAY}02:30:00Z", None], [0, 0, 1, 2],
        lambda c: c.dt.convert_time_zone("Europe/Berlin"),
    ),
    "ns": Kind(
        "string", [f"{DAY}01:30:00.000000001", f"{DAY}01:30:00", None], [0, 1, 2],
        lambda c: c.str.to_datetime("%Y-%m-%dT%H:%M:%S%.f", time_unit="ns"),
    ),
    "date": Kind("date", ["2024-03-31", "2024-04-01", None], [0, 1, 2]),
    "duration": Kind("int", [1, 2, None], [0, 1, 2], lambda c: c.cast(pl.Duration("ms"))),
    "decimal": Kind(
        "decimal(18,2)", ["1.5", "1.50", "-0.00", "0", "1.51", None], [0, 0, 1, 1, 2, 3]
    ),
    "bool": Kind("bool", [True, False, None], [0, 1, 2]),
    "unicode": Kind(
        "string", ["é", "e\u0301", "\ufb01", "fi", "\U0001f600", "", None], [*range(7)]
    ),
    "float": Kind("float", [0.0, -0.0, 1.5, None], [0, 0, 1, 2]),
    "nothing": Kind("string", [None], [0]),
    "words": Kind("string", ["b", "a", None], [0, 1, 2], lambda c: c.cast(pl.Categorical)),
    "object": Kind(
        pl.Struct({"a": pl.Float64, "b": pl.List(pl.Float64)}),
        [{"a": 0.0, "b": [-0.0]}, {"a": -0.0, "b": [0.0]}, {"a": None, "b": None}, None],
        [0, 0, 1, 2],
    ),
}  # fmt: skip


def counted_by_all(directory: Path, outs: dict[str, Collect]) -> rs.Pipeline:
    p = rs.Pipeline("keys", checkpoint_interval="100ms")
    source = Files(directory / "*.jsonl", tail=True, discovery_interval="100ms")
    late = rs.Watermark(out_of_orderness="60s", idle_timeout="10m")
    schema = {**{name: kind.declared for name, kind in KINDS.items()}, "ts": "int"}
    rows = p.read(source, schema=schema, event_time="ts", watermark=late, name="read")
    for name, kind in KINDS.items():
        made = rs.col(name) if kind.make is None else kind.make(rs.col(name))
        counts = rows.key_by(key=made, name=f"key-{name}").window(rs.tumbling("1m"), name=name)
        counts.agg(n=rs.count()).write(outs[name], name=f"out-{name}")
    return p


def test_keys_of_any_type_meet_over_one_two_four_and_two_subtasks(tmp_path: Path) -> None:
    outs = {name: Collect() for name in KINDS}
    (tmp_path / "in").mkdir()
    rows = [
        {name: kind.written[n % len(kind.written)] for name, kind in KINDS.items()}
        for n in range(84)
    ]
    text = "".join(json.dumps({**row, "ts": NOW + n}) + "\n" for n, row in enumerate(rows))
    for number, width in enumerate([1, 2, 4, 2]):
        (tmp_path / "new").write_text(text)
        (tmp_path / "new").replace(tmp_path / "in" / f"{number}.jsonl")
        p, storage = counted_by_all(tmp_path / "in", outs), tmp_path / "store"
        if number < 3:
            stopped(p, storage, len(rows), width)
            assert not any(out.rows() for out in outs.values())
        else:
            p.run(until="latest", local=True, parallelism=width, checkpoint_storage=str(storage))
    for name, kind in KINDS.items():
        found = outs[name].rows()
        wanted = Counter(kind.same[n % len(kind.same)] for n in range(len(rows)))
        assert sorted(row["n"] for row in found) == sorted(4 * n for n in wanted.values()), name


def retimed(directory: Path, out: Collect) -> rs.Pipeline:
    p = rs.Pipeline("retimed", checkpoint_interval="100ms")
    source = Files(directory / "*.jsonl", tail=True, discovery_interval="100ms")
    schema = {"k": "int", "ts": "timestamp_ms"}
    rows = p.read(source, schema=schema, name="read").with_event_time(
        "ts", watermark=rs.Watermark(out_of_orderness="1s", idle_timeout="10m"), name="time"
    )
    rows.key_by("k", name="key").window(rs.tumbling("1s")).agg(n=rs.count()).write(out, name="out")
    return p


def test_event_time_given_later_over_a_rescale(tmp_path: Path) -> None:
    """It continues from the subtask that was furthest behind: its rows are not late elsewhere."""
    out, keys = Collect(), [n % 7 for n in range(ROWS)]
    write(tmp_path / "in", 0, keys)
    write(tmp_path / "in", 1, keys, NOW + 5000)
    stopped(retimed(tmp_path / "in", out), tmp_path / "store", 2 * ROWS, 2)
    write(tmp_path / "in", 2, keys)
    last = retimed(tmp_path / "in", out)
    assert (
        last.run(until="latest", local=True, checkpoint_storage=str(tmp_path / "store")).late == 0
    )
    assert {(r["k"], r["n"]) for r in out.rows()} == {
        (key, n * count) for key, n in Counter(keys).items() for count in (1, 2)
    }
