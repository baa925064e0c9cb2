"""What a job in one process logs: its diary and its users' lines, if somebody chose a format."""

from __future__ import annotations

import json
import logging
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

from raystream.runtime.log_format import VARIABLE

JOB = """\
import logging
import sys
import raystream as rs
from raystream.connectors.memory import Rows

T = 1_700_000_000_000
SCHEMA = {"ts": int, "ip": str}
failed = []

def talk(row):
    logging.getLogger("users").info("saw %s", row["ip"])
    if not failed:
        failed.append(True)
        raise ValueError("once")
    return row

SETUP
p = rs.Pipeline("talks", checkpoint_storage="HERE/state")
read = p.read(Rows([{"ts": T, "ip": "a"}]), event_time="ts", schema=SCHEMA)
read.map(talk, schema=SCHEMA).write(rs.Collect())
"""
MINE = 'logging.basicConfig(stream=sys.stdout, level=logging.INFO, format="mine %(message)s")'


def run(here: Path, *flags: str, setup: str = "", chosen: str = "") -> tuple[str, str]:
    """What a run in one process writes to standard output and error."""
    file = here / "job.py"
    file.write_text(JOB.replace("HERE", str(here)).replace("SETUP", setup))
    code = "import sys; from raystream.cli.app import main; main()"
    command = [sys.executable, "-c", code, "run", str(file), "--local", "--until", "latest"]
    environment = {**os.environ, VARIABLE: chosen}
    done = subprocess.run(
        [*command, *flags], capture_output=True, text=True, env=environment, check=False
    )
    assert done.returncode == 0, done.stderr
    return done.stdout, done.stderr


def of(lines: list[dict[str, Any]], logger: str) -> list[dict[str, Any]]:
    return [line for line in lines if line["logger"] == logger]


def test_with_json_every_line_is_an_object_that_tells_what_it_is_about(tmp_path: Path) -> None:
    out, err = run(tmp_path, "--log-format", "json")
    assert out == ""
    lines = [json.loads(line) for line in err.splitlines()]
    assert {line["job"] for line in lines} == {"talks"}
    diary = of(lines, "raystream.job")
    assert {"failure", "state", "checkpoint"} <= {line["kind"] for line in diary}
    assert [line["attempt"] for line in diary if "is running" in line["message"]] == [0, 1]
    assert any(line["checkpoint"] >= 1 for line in diary)
    users = of(lines, "users")
    assert [line["attempt"] for line in users] == [0, 1]
    assert {(line["message"], line["subtask"]) for line in users} == {("saw a", 0)}
    assert users[0]["step"] == "read-memory"
    assert "read 1, written 1" in of(lines, "raystream.run")[-1]["message"]


def test_the_variable_chooses_as_the_flag_does_and_nothing_is_as_before(tmp_path: Path) -> None:
    _, text = run(tmp_path / _made(tmp_path, "text"), chosen="text")
    assert "INFO raystream.job: attempt 1 is running" in text
    assert "INFO users: saw a" in text
    _, chosen = run(tmp_path / _made(tmp_path, "json"), chosen="json")
    assert all(json.loads(line) for line in chosen.splitlines())
    _, quiet = run(tmp_path / _made(tmp_path, "none"))
    assert "saw a" not in quiet
    assert "attempt 1 is running" not in quiet


def test_a_logging_setup_of_the_user_stays_and_gets_the_diary(tmp_path: Path) -> None:
    out, err = run(tmp_path, "--log-format", "json", setup=MINE)
    assert "mine saw a" in out.splitlines()
    assert "mine attempt 1 is running" in out.splitlines()
    assert {json.loads(line)["logger"] for line in err.splitlines()} == {"raystream.run"}


def test_a_process_is_left_as_it_was(tmp_path: Path) -> None:
    after = "import logging; root = logging.getLogger(); print(root.handlers, root.level)"
    (tmp_path / "job.py").write_text(JOB.replace("HERE", str(tmp_path)).replace("SETUP", ""))
    code = f"import job; job.p.run(local=True, until='latest'); {after}"
    environment = {**os.environ, VARIABLE: "json"}
    done = subprocess.run(
        [sys.executable, "-c", code],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        env=environment,
        check=True,
    )
    assert done.stdout.strip() == f"[] {logging.WARNING}"
    assert '"logger": "raystream.job"' in done.stderr


def _made(here: Path, name: str) -> str:
    (here / name).mkdir()
    return name
