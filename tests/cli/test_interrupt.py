"""SIGINT ends a run after a last commit, closes no window, and the same command continues."""

from __future__ import annotations

import json
import os
import pty
import select
import signal
import subprocess
import sys
import time
from pathlib import Path

JOB = """\
import raystream as rs
p = rs.Pipeline("job", checkpoint_interval="200ms")
rows = p.read(rs.Files("{here}/in", tail=True), event_time="ts")
counts = rows.key_by("ip").window(rs.tumbling("1m")).agg(n=rs.count())
counts.write(rs.Files("{here}/out"))
rows.write(rs.Files("{here}/seen"))
"""
T = 1_700_000_040_000


def _write(path: Path, times: list[int]) -> None:
    path.write_text("".join(f'{{"ts": {T + time}, "ip": "a"}}\n' for time in times))


def _rows(directory: Path) -> list[dict[str, int]]:
    parts = sorted(directory.glob("part-*.jsonl"))
    return [json.loads(line) for part in parts for line in part.read_text().splitlines()]


def _interrupted(command: list[str], seen: Path, rows: int) -> tuple[int, str]:
    process = subprocess.Popen(command, stderr=subprocess.PIPE, text=True)
    deadline = time.monotonic() + 60
    while len(_rows(seen)) < rows:
        assert time.monotonic() < deadline
        assert process.poll() is None
        time.sleep(0.05)
    process.send_signal(signal.SIGINT)
    _, said = process.communicate(timeout=180)
    return process.returncode, said


def test_stop_and_go_on(tmp_path: Path) -> None:
    (tmp_path / "in").mkdir()
    (tmp_path / "job.py").write_text(JOB.format(here=tmp_path))
    _write(tmp_path / "in" / "one.jsonl", [0, 1, 2])
    run = [sys.executable, "-c", "from raystream.cli.app import main; main()", "run"]
    run += [f"{tmp_path}/job.py:p", "--local", "--checkpoint-storage", f"{tmp_path}/state"]
    code, said = _interrupted([*run, "--parallelism", "2"], tmp_path / "seen", 3)
    assert (code, _rows(tmp_path / "out")) == (0, [])
    assert "stopping after a last commit; Ctrl-C once more ends it at once\n" in said
    assert "stopped, read 3, written 3" in said
    _write(tmp_path / "in" / "two.jsonl", [3, 60_000])
    code, said = _interrupted([*run, "--parallelism", "1"], tmp_path / "seen", 5)
    assert code == 0
    assert "stopped, read 2, written 2" in said
    done = subprocess.run([*run, "--until", "latest"], capture_output=True, text=True, check=True)
    assert "finished, read 0, written 2" in done.stderr
    counts = {(row["window_start"] - T): row["n"] for row in _rows(tmp_path / "out")}
    assert counts == {0: 4, 60_000: 1}


HANGS = """\
import pathlib, time, raystream as rs
from raystream.connectors.memory import Rows
p = rs.Pipeline("job", checkpoint_interval="200ms")
def slow(row):
    pathlib.Path("{here}/begun").touch()
    time.sleep({seconds})
    return row
rows = p.read(Rows([{{"ts": 1}}] * 3), event_time="ts", schema={{"ts": int}})
rows.map(slow, schema={{"ts": int}}).write(rs.Collect())
"""


def test_twice_is_now_and_says_so(tmp_path: Path) -> None:
    (tmp_path / "job.py").write_text(HANGS.format(here=tmp_path, seconds=2))
    command = [sys.executable, "-c", "from raystream.cli.app import main; main()", "run"]
    command += [f"{tmp_path}/job.py:p", "--local", "--checkpoint-storage", f"{tmp_path}/state"]
    process = subprocess.Popen(command, stderr=subprocess.PIPE, text=True)
    assert process.stderr is not None
    deadline = time.monotonic() + 60
    while not (tmp_path / "begun").exists():
        assert time.monotonic() < deadline
        time.sleep(0.05)
    process.send_signal(signal.SIGINT)
    said = [process.stderr.readline()]
    while not said[-1].startswith("stopping after"):
        assert said[-1]
        said.append(process.stderr.readline())
    process.send_signal(signal.SIGINT)
    said += process.communicate(timeout=180)[1].splitlines(keepends=True)
    assert "stopping after a last commit; Ctrl-C once more ends it at once\n" in said
    assert "cancelling: ending without a last commit; once more kills it\n" in said
    assert "cancelled, committed: read 0, written 0\n" in said
    assert process.returncode == 4


def test_ctrl_c_after_the_end_is_no_traceback(tmp_path: Path) -> None:
    (tmp_path / "job.py").write_text(HANGS.format(here=tmp_path, seconds=0))
    lingers = "import threading, time; threading.Thread(target=time.sleep, args=(60,)).start(); "
    main = "from raystream.cli.app import main; main()"
    command = [sys.executable, "-c", lingers + main, "run"]
    command += [f"{tmp_path}/job.py:p", "--local", "--checkpoint-storage", f"{tmp_path}/state"]
    with subprocess.Popen(command, stderr=subprocess.PIPE, text=True) as process:
        assert process.stderr is not None
        said = ""
        while "finished, " not in said:
            said += process.stderr.readline()
            assert process.poll() is None, said
        time.sleep(1)
        process.send_signal(signal.SIGINT)
        said += process.communicate(timeout=180)[1]
    assert "Traceback" not in said
    assert process.returncode == -signal.SIGINT


def test_on_a_terminal_ctrl_c_is_answered_above_the_live_view(tmp_path: Path) -> None:
    (tmp_path / "in").mkdir()
    (tmp_path / "job.py").write_text(JOB.format(here=tmp_path))
    _write(tmp_path / "in" / "one.jsonl", [0, 1, 2])
    command = [sys.executable, "-c", "from raystream.cli.app import main; main()", "run"]
    command += [f"{tmp_path}/job.py:p", "--local", "--checkpoint-storage", f"{tmp_path}/state"]
    master, slave = pty.openpty()
    env = {**os.environ, "TERM": "xterm-256color", "NO_COLOR": "1"}
    with subprocess.Popen(command, stdin=slave, stdout=slave, stderr=slave, env=env) as process:
        os.close(slave)
        shown = _until(master, "3 rows")
        process.send_signal(signal.SIGINT)
        shown += _until(master, None)
        assert process.wait(180) == 0
    os.close(master)
    assert "stopping after a last commit; Ctrl-C once more ends it at once\r\n" in shown
    assert "stopped, read 3, written 3\r\n" in shown
    assert shown.rindex("\x1b[?25h") > shown.rindex("\x1b[?25l")  # the cursor is back
    assert "\x1b[3" not in shown  # no colours


def test_a_closed_terminal_stops_the_job_after_a_last_commit(tmp_path: Path) -> None:
    (tmp_path / "in").mkdir()
    (tmp_path / "job.py").write_text(JOB.format(here=tmp_path))
    _write(tmp_path / "in" / "one.jsonl", [0, 1, 2])
    command = [sys.executable, "-c", "from raystream.cli.app import main; main()", "run"]
    command += [f"{tmp_path}/job.py:p", "--local", "--checkpoint-storage", f"{tmp_path}/state"]
    pid, master = pty.fork()
    if not pid:  # in a session of its own, whose terminal this is
        os.execv(command[0], command)
    _until(master, "3 rows")
    _write(tmp_path / "in" / "two.jsonl", [3, 4])
    time.sleep(0.1)
    os.close(master)
    os.kill(pid, signal.SIGHUP)  # as a shell does, beside the kernel
    assert os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == 0
    done = subprocess.run(
        [*command, "--until", "latest"], capture_output=True, text=True, check=True
    )
    assert done.stderr.splitlines()[-1].startswith("finished, read ")
    counts = {(row["window_start"] - T): row["n"] for row in _rows(tmp_path / "out")}
    assert counts == {0: 5}


def test_under_nohup_a_closed_terminal_is_nothing(tmp_path: Path) -> None:
    (tmp_path / "job.py").write_text(HANGS.format(here=tmp_path, seconds=0.5))
    command = ["nohup", sys.executable, "-c", "from raystream.cli.app import main; main()", "run"]
    command += [f"{tmp_path}/job.py:p", "--local", "--checkpoint-storage", f"{tmp_path}/state"]
    with subprocess.Popen(command, stderr=subprocess.PIPE, text=True) as process:
        deadline = time.monotonic() + 60
        while not (tmp_path / "begun").exists():
            assert time.monotonic() < deadline
            time.sleep(0.05)
        process.send_signal(signal.SIGHUP)
        assert process.stderr is not None
        assert "finished, read 3, written 3" in process.stderr.read()
    assert process.returncode == 0


def _until(terminal: int, text: str | None) -> str:
    """What the terminal shows until this text has come; None: until everybody has left it."""
    shown, deadline = "", time.monotonic() + 60
    while text is None or text not in shown:
        assert time.monotonic() < deadline, shown
        if select.select([terminal], [], [], 1.0)[0]:
            try:
                shown += os.read(terminal, 65536).decode(errors="replace")
            except OSError:  # nobody has it open any more
                return shown
    return shown
