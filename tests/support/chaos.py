"""A pipeline as a process of its own, and what can be done to it: killed, frozen, woken."""

from __future__ import annotations

import os
import random
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from types import TracebackType
from typing import Self

from tests.support import processes
from tests.support.processes import Process

_MAIN = "from raystream.cli.app import main; main()"


class JobProcess:
    """`raystream run ...` in a process of its own; a context manager that leaves nothing behind.

    Args:
        target: `FILE.py:p` or `package.module:p`.
        arguments: More arguments of `raystream run`, such as `--until`, `latest`.
        environment: Variables beside those of this process (`points.environment(...)`).
        command: Instead of `raystream run`: a whole command, to which nothing is added.
    """

    def __init__(
        self,
        target: str,
        arguments: Sequence[str] = (),
        environment: Mapping[str, str] | None = None,
        *,
        command: Sequence[str] | None = None,
    ) -> None:
        whole = command or [sys.executable, "-c", _MAIN, "run", target, *arguments]
        self._output = tempfile.TemporaryFile()
        self._process = subprocess.Popen(
            whole,
            stdin=subprocess.DEVNULL,
            stdout=self._output,
            stderr=subprocess.STDOUT,
            env={**os.environ, **(environment or {})},
            start_new_session=True,
        )

    @property
    def pid(self) -> int:
        """Of the driver."""
        return self._process.pid

    def __enter__(self) -> Self:
        """The process itself."""
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Kill whatever is left of it."""
        self.kill_family()
        self._output.close()

    def running(self) -> bool:
        """Whether the driver lives."""
        return self._process.poll() is None

    def wait(self, timeout: float) -> int:
        """Exit code, once it has ended.

        Args:
            timeout: Seconds on an idle machine.

        Raises:
            TimeoutError: It did not end in time; the message holds the end of its output.
        """
        try:
            until(lambda: not self.running(), timeout, "end of the job")
        except TimeoutError as late:
            message = f"{late}: {self.output()[-2000:]}"
            raise TimeoutError(message) from None
        return self._process.wait()

    def output(self) -> str:
        """What it has printed so far, both streams."""
        size = os.fstat(self._output.fileno()).st_size
        return os.pread(self._output.fileno(), size, 0).decode(errors="replace")

    def subtasks(self) -> list[Process]:
        """Its subtask actors, the busiest first."""
        return processes.subtasks(self.pid)

    def coordinators(self) -> list[Process]:
        """Its coordinator actors."""
        return processes.coordinators(self.pid)

    def kill(self) -> None:
        """SIGKILL to the driver alone; what it started has to notice by itself."""
        self._process.kill()
        self._process.wait()

    def stop(self) -> None:
        """Ctrl-C: a stop with a last commit."""
        self._process.send_signal(signal.SIGINT)

    def kill_family(self) -> None:
        """SIGKILL to the driver and everything below it."""
        members = processes.family(self.pid)
        self._process.kill()
        for member in members:
            send(member, signal.SIGKILL)
        self._process.wait()


def send(target: Process, sign: signal.Signals) -> bool:
    """A signal to exactly this process; False if it is gone (or its pid is another's by now)."""
    now = processes.process(target.pid)
    if now is None or now.started != target.started:
        return False
    try:
        os.kill(target.pid, sign)
    except ProcessLookupError:
        return False
    return True


@dataclass(frozen=True, slots=True)
class Frozen:
    """A process stopped by SIGSTOP; `wake` lets it continue, as a zombie of its attempt."""

    target: Process

    def wake(self) -> bool:
        """SIGCONT; False if it was ended meanwhile."""
        return send(self.target, signal.SIGCONT)


def freeze(target: Process) -> Frozen:
    """SIGSTOP."""
    send(target, signal.SIGSTOP)
    return Frozen(target)


def kill_at_random(
    job: JobProcess, times: int, seed: int, pause: tuple[float, float] = (1.0, 3.0)
) -> list[Process]:
    """SIGKILL to random subtasks or the coordinator, some seconds apart, while the job runs.

    Args:
        job: The job.
        times: How often.
        seed: Of choices and pauses; the timing of the job itself is not repeatable.
        pause: Seconds between two kills, from and to.

    Returns:
        Who was killed.
    """
    chance = random.Random(seed)
    killed: list[Process] = []
    while len(killed) < times and job.running():
        time.sleep(chance.uniform(*pause))
        candidates = job.subtasks() + job.coordinators()
        if candidates and send(target := chance.choice(candidates), signal.SIGKILL):
            killed.append(target)
    return killed


def until(condition: Callable[[], bool], timeout: float, what: str) -> None:
    """Wait for something.

    Args:
        condition: Asked every 20 ms.
        timeout: Seconds on an idle machine; where others compute too, in proportion more.
        what: Said if it never came.

    Raises:
        TimeoutError: It did not come in time.
    """
    begin = time.monotonic()
    while not condition():
        waited = time.monotonic() - begin
        if waited > timeout and waited > timeout * _slowness():
            message = f"no {what} within {waited:.0f} s"
            raise TimeoutError(message)
        time.sleep(0.02)


def _slowness() -> float:
    """How many times slower than idle the machine is, by its load; five at most."""
    return min(5.0, max(1.0, os.getloadavg()[0] / (os.cpu_count() or 1)))
