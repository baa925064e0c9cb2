"""A user who has a token joins clusters that ask for one, and those that do not."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path

import pytest

from tests.support.ray_head import RayHead

JOB = """
import raystream as rs
p = rs.Pipeline("tokens", checkpoint_storage={storage!r})
counts = p.read(rs.Files({path!r})).key_by("k").aggregate(n=rs.count())
counts.write(rs.Files({out!r}), changes="log")
"""


@pytest.mark.parametrize("token", [True, False])
def test_a_job_runs_whether_or_not_the_cluster_asks_for_the_token(
    token: bool, tmp_path: Path
) -> None:
    (tmp_path / "in.jsonl").write_text('{"k": 1}\n')
    places = {"storage": "ck", "path": "in.jsonl", "out": "out"}
    job = JOB.format(**{name: str(tmp_path / place) for name, place in places.items()})
    (tmp_path / "job.py").write_text(job)
    with RayHead(token=token) as head:
        done = subprocess.run(
            ["raystream", "run", "job.py:p", "--address", head.address, "--until", "latest"],
            cwd=tmp_path,
            env=head.environment,
            capture_output=True,
            text=True,
            timeout=120,
            check=False,
        )
    assert done.returncode == 0, done.stderr
    (part,) = (tmp_path / "out").glob("*.jsonl")
    assert json.loads(part.read_text())["n"] == 1
