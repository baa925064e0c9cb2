"""On Ray, a record at either end of 64 bits is a dead mail; the counts of others are whole."""

from __future__ import annotations

import base64
import json
from collections import Counter
from pathlib import Path
from typing import Any

import pytest

import raystream as rs

pytestmark = pytest.mark.usefixtures("ray_cluster")

START, MINUTE, KEYS = 1_700_000_040_000, 60_000, 10
EXTREMES = [2**63 - 1, -(2**63), 2**62, -(2**62), 10**18, -(10**18)]


def test_extreme_event_times_take_no_other_output_with_them(tmp_path: Path) -> None:
    good = [{"ts": START + n * 1000, "k": f"k{n % KEYS}"} for n in range(600)]
    bad = [{"ts": time, "k": f"k{n}"} for n, time in enumerate(EXTREMES)]
    rows = [*good[:1], *bad, *good[1:]]  # the same keys, the first of them too
    (tmp_path / "in.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    outcome = pipeline(tmp_path).run()
    assert outcome.kind == "finished"
    counts: Counter[tuple[str, int]] = Counter()
    for row in read(tmp_path / "out"):
        assert (row["k"], row["window_start"]) not in counts
        counts[row["k"], row["window_start"]] = row["n"]
    assert counts == Counter((row["k"], row["ts"] // MINUTE * MINUTE) for row in good)
    mails = [json.loads(base64.b64decode(mail["value"]))["ts"] for mail in read(tmp_path / "dead")]
    assert sorted(mails) == sorted(EXTREMES)


def pipeline(home: Path) -> rs.Pipeline:
    p = rs.Pipeline("extremes", parallelism=2, checkpoint_storage=str(home / "state"))
    requests = p.read(
        rs.Files(str(home / "in.jsonl")),
        schema={"ts": "int", "k": "string"}, event_time="ts", errors="dlq",
    )  # fmt: skip
    counts = requests.key_by("k").window(rs.tumbling("1m")).agg(n=rs.count())
    counts.write(rs.Files(str(home / "out")))
    requests.errors.write(rs.Files(str(home / "dead")))
    return p


def read(directory: Path) -> list[dict[str, Any]]:
    lines = (line for file in directory.glob("part-*") for line in file.read_text().splitlines())
    return [json.loads(line) for line in lines]
