"""Without Ray and without obstore: runs stay in one process, the rest says what to install."""

from __future__ import annotations

import json
import subprocess
import sys

import pytest

JOB = """
import raystream as rs
p = rs.Pipeline("job", checkpoint_storage="{here}/state")
rows = p.read(rs.Rows([{{"ts": 1, "k": "a"}}] * 3), event_time="ts")
rows.key_by("k").window(rs.tumbling("1m")).agg(n=rs.count()).write(rs.Files("{here}/out"))
"""
WITHOUT = """
import json, sys
sys.modules["ray"] = sys.modules["obstore"] = None
from raystream.cli.app import main
for command in json.loads(sys.argv[1]):
    try:
        main(command)
    except SystemExit as ended:
        print("exit", ended.code, file=sys.stderr)
"""


@pytest.fixture(scope="module")
def said(tmp_path_factory: pytest.TempPathFactory) -> list[str]:
    """What each command printed to standard error."""
    here = tmp_path_factory.mktemp("without")
    (here / "job.py").write_text(JOB.format(here=here))
    job = f"{here}/job.py:p"
    commands = [
        ["run", job, "--until", "latest"],
        ["run", job, "--address", "127.0.0.1:1"],
        ["run", job, "--until", "latest", "--local", "--checkpoint-storage", "s3://bucket/x"],
        ["list"],
        ["submit", job],
    ]
    program = [sys.executable, "-c", WITHOUT, json.dumps(commands)]
    done = subprocess.run(program, capture_output=True, text=True, check=True, cwd=here)
    (part,) = (here / "out").glob("part-*.jsonl")
    assert json.loads(part.read_text())["n"] == 3
    return done.stderr.split("exit ")


def test_a_run_stays_in_one_process_and_says_so(said: list[str]) -> None:
    assert "Ray is not installed: this run stays in one process" in said[0]
    assert "pip install 'ray[default]'" in said[0]
    assert said[1].startswith("0")


@pytest.mark.parametrize(
    ("number", "package"),
    [(1, "ray[default]"), (2, "raystream[cloud]"), (3, "ray[default]"), (4, "ray[default]")],
    ids=str,
)
def test_the_rest_names_what_to_install(said: list[str], number: int, package: str) -> None:
    assert f"pip install '{package}'" in said[number]
    assert said[number + 1].startswith("2")
