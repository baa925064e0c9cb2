"""What is done to a process is done to exactly that process and what is below it."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from dataclasses import replace

from tests.support import processes
from tests.support.chaos import JobProcess, freeze, send, until

_SLEEPER = "import time; time.sleep(60)"
_PARENT = f"""
import subprocess, sys
child = subprocess.Popen([sys.executable, "-c", {_SLEEPER!r}])
print("started", flush=True)
child.wait()
"""


def python(code: str) -> JobProcess:
    return JobProcess("", command=[sys.executable, "-c", code])


def test_output_and_exit_code() -> None:
    with python("print('hello'); raise SystemExit(3)") as job:
        assert job.wait(30) == 3
        assert job.output() == "hello\n"
        assert not job.running()


def test_family_is_the_process_and_what_is_below_it() -> None:
    with python(_PARENT) as job:
        until(lambda: "started" in job.output(), 30, "child")
        members = processes.family(job.pid)
        assert [one.parent for one in members[1:]] == [job.pid]
        me = processes.process(os.getpid())
        assert me is not None
        assert me.cpu > 0
    until(lambda: all(gone(one) for one in members), 10, "end of all")


def gone(one: processes.Process) -> bool:
    """Not there any more, or only waiting for whoever adopts orphans."""
    now = processes.process(one.pid)
    return now is None or now.started != one.started or now.command == ""


def test_a_frozen_process_does_nothing_until_it_wakes() -> None:
    with python("import time\nwhile True:\n    print('x', flush=True); time.sleep(0.01)") as job:
        until(lambda: "x" in job.output(), 30, "output")
        me = processes.process(job.pid)
        assert me is not None
        frozen = freeze(me)
        until(lambda: _state(job.pid) == "T", 10, "stop")
        before = job.output()
        assert job.output() == before
        assert frozen.wake()
        until(lambda: job.output() != before, 30, "output again")


def _state(pid: int) -> str:
    text = (processes.PROC / str(pid) / "stat").read_text()
    return text.rpartition(")")[2].split()[0]


def test_a_pid_that_is_anothers_by_now_is_left_alone() -> None:
    with subprocess.Popen([sys.executable, "-c", _SLEEPER]) as child:
        one = processes.process(child.pid)
        assert one is not None
        assert not send(replace(one, started=one.started - 1), signal.SIGKILL)
        assert child.poll() is None
        assert send(one, signal.SIGKILL)
        assert child.wait(30) == -signal.SIGKILL
