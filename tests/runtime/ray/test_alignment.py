"""Sources in processes of their own wait for one another: what they hear travels with the pings.

Who hears nothing of the others goes no further than its first rows: a job that ends has heard.
"""

from __future__ import annotations

import json
import time
from pathlib import Path
from typing import Any

import pytest

import raystream as rs
from raystream.api.jobs.run import RunOptions, prepare
from raystream.runtime.ray.entry import run

pytestmark = pytest.mark.usefixtures("ray_cluster")

N, LATER = 4000, 15_000
POLL, DRIFT = 2000, 1000


def now(row: dict[str, Any]) -> float:
    return time.time()


def test_the_source_that_is_ahead_waits_for_the_one_in_another_process(tmp_path: Path) -> None:
    mark = rs.Watermark(out_of_orderness="1s", align="web", max_drift=f"{DRIFT}s")
    p = rs.Pipeline("replay", checkpoint_interval="1s")
    for name, first in (("old", 0), ("new", LATER)):
        rows = ({"ts": (first + n * 5) * 1000} for n in range(N))
        (tmp_path / f"{name}.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
        source = rs.Files(tmp_path / f"{name}.jsonl")
        read = p.read(source, schema={"ts": "int"}, event_time="ts", watermark=mark, name=name)
        read.with_columns(at=now, name=f"{name}-at").write(
            rs.Files(tmp_path / name), name=f"{name}-out"
        )
    job = prepare(p, RunOptions(until="latest"), str(tmp_path / "state"), 1)
    assert job is not None
    assert run(job).kind == "finished"
    old, new = (seen(tmp_path / name) for name in ("old", "new"))
    assert (len(old), len(new)) == (N, N)
    ahead = LATER + POLL * 5 + DRIFT  # what it reads before it hears of the other
    for at, ts in new[::50]:
        if ts > ahead:
            done = max((t for a, t in old if a <= at), default=0)
            assert done >= min(ts, N * 5) - DRIFT - 2 * POLL * 5


def seen(folder: Path) -> list[tuple[float, int]]:
    """When each row was seen, and its event time, seconds."""
    lines = [line for part in folder.glob("part-*") for line in part.read_text().splitlines()]
    rows = [json.loads(line) for line in lines]
    return [(row["at"], row["ts"] // 1000) for row in rows]
