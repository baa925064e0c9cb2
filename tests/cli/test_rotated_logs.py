"""`raystream logs --follow` of a job on a real Ray that rotates the logs of its processes."""

from __future__ import annotations

import os
import re
import subprocess
import time
from pathlib import Path

from tests.cli.conftest import COMMAND, started, wait_for_checkpoint
from tests.conftest import unique

JOB = """\
import raystream as rs
p = rs.Pipeline("{name}", checkpoint_interval="300ms", checkpoint_storage="{here}/state")
schema = {{"ts": int, "key": str}}
said = [0]
def talk(row):
    said[0] += 1
    print("said", said[0], "x" * 100, flush=True)
    return row
rows = p.read(rs.Datagen(rate=200, start_ms=1_700_000_040_000), event_time="ts", schema=schema)
rows.map(talk, schema=schema).write(rs.Files("{here}/out"))
"""


def test_a_follow_across_rotations_has_every_line_once(tmp_path: Path) -> None:
    name = unique("rotated")
    (tmp_path / "job.py").write_text(JOB.format(name=name, here=tmp_path))
    own = {k: v for k, v in os.environ.items() if k != "RAY_ADDRESS"}
    small = {**own, "RAY_ROTATION_MAX_BYTES": "20000", "RAY_ROTATION_BACKUP_COUNT": "5"}
    command = [*COMMAND, "run", f"{tmp_path}/job.py:p", "--address", "local", "--parallelism", "1"]
    follow = [*COMMAND, "logs", name, "--follow", "-n", "0"]
    with started(command, small) as run:
        wait_for_checkpoint(tmp_path / "state" / name, run)
        said = tmp_path / "said"
        with said.open("w") as file, subprocess.Popen(follow, env=own, stdout=file) as follower:
            deadline = time.monotonic() + 90
            while len(numbers := _numbers(said.read_text())) < 1500:  # about 10 files
                assert time.monotonic() < deadline, len(numbers)
                time.sleep(0.2)
            follower.terminate()
    assert numbers == list(range(numbers[0], numbers[0] + len(numbers)))


def _numbers(text: str) -> list[int]:
    return [int(number) for number in re.findall(r"\| said (\d+) x+\n", text)]
