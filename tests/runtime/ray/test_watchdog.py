"""Processes end themselves when cut off, and stopped ones can be ended."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time

from raystream.runtime.ray.watchdog import CUT_OFF, Lease, end_process

ORPHAN = """
import os, subprocess, sys, time
from raystream.runtime.ray.watchdog import Lease, watch
if len(sys.argv) > 1:
    watch(Lease())
    print(os.getpid(), flush=True)
    time.sleep(30)
else:
    subprocess.Popen([sys.executable, "-c", os.environ["SCRIPT"], "child"])
    time.sleep(30)
"""

LEASED = """
import sys, time
from raystream.runtime.ray.watchdog import Lease, watch
lease = Lease()
lease.renew(0.1)
watch(lease)
time.sleep(30)
"""


def test_a_process_whose_parent_is_killed_ends_itself() -> None:
    parent = subprocess.Popen(
        [sys.executable, "-c", ORPHAN],
        env={**os.environ, "SCRIPT": ORPHAN},
        stdout=subprocess.PIPE,
        text=True,
    )
    assert parent.stdout is not None
    child = int(parent.stdout.readline())
    parent.kill()
    parent.wait()
    parent.stdout.close()
    assert gone(child, 3)


def test_a_process_without_a_word_from_its_coordinator_ends_itself() -> None:
    assert subprocess.run([sys.executable, "-c", LEASED], check=False).returncode == CUT_OFF


def test_a_lease_lives_as_long_as_it_is_renewed() -> None:
    lease = Lease()
    lease.renew(0.05)
    assert not lease.expired()
    time.sleep(0.06)
    assert lease.expired()
    lease.renew(5)
    assert not lease.expired()


def test_only_a_ray_worker_is_ended_even_if_it_is_stopped() -> None:
    stranger = subprocess.Popen(["sleep", "30"])
    sleep = ["ray::count", "-c", "import time; print(flush=True); time.sleep(30)"]
    worker = subprocess.Popen(sleep, executable=sys.executable, stdout=subprocess.PIPE)
    assert worker.stdout is not None
    worker.stdout.readline()  # its title is there only some time after it was started
    worker.stdout.close()
    os.kill(worker.pid, signal.SIGSTOP)
    assert not end_process(stranger.pid)
    assert end_process(worker.pid)
    assert worker.wait(2) == -signal.SIGKILL
    assert stranger.poll() is None
    stranger.kill()
    stranger.wait()
    assert not end_process(worker.pid)


def gone(pid: int, seconds: float) -> bool:
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        try:
            os.kill(pid, 0)
        except ProcessLookupError:
            return True
        time.sleep(0.05)
    return False
