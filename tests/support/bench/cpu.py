"""CPU seconds and memory of every process below one, sampled while they live."""

from __future__ import annotations

import threading
from dataclasses import dataclass, field
from pathlib import Path

from tests.support import processes

_LOOK = 0.25
_MEMORY_LOOKS = 8
"""Memory is asked for at every eighth look: that costs the process itself milliseconds."""

_AGENTS = ("DashboardAgent", "RuntimeEnvAgent", "IDLE")


@dataclass(slots=True)
class CpuBook:
    """What every process below some roots has used; one that ended, as it was at the last look.

    Args:
        roots: Ids of the processes; their families count, and they themselves.
    """

    roots: tuple[int, ...]
    seen: dict[tuple[int, int], processes.Process] = field(default_factory=dict)
    jobs: dict[tuple[int, int], str] = field(default_factory=dict)
    rays: set[tuple[int, int]] = field(default_factory=set)

    def look(self) -> None:
        """Note what every process has used so far, and what it ever was for the job.

        A worker waits as `ray::IDLE` before its role and is a nameless zombie after it.
        """
        for one in (each for root in self.roots for each in processes.family(root)):
            key = one.pid, one.started
            self.seen[key] = one
            kind = self._kind(one)
            if kind == "job":
                self.jobs[key] = one.title if one.command.startswith("ray::") else "driver"
            if kind == "ray":
                self.rays.add(key)

    def totals(self) -> dict[str, float]:
        """Seconds by kind: `job` (run, driver, coordinator, subtasks), `ray`."""
        found = {"job": 0.0, "ray": 0.0}
        for key, one in self.seen.items():
            kind = "job" if key in self.jobs else "ray" if key in self.rays else "job"
            found[kind] += one.cpu
        return found

    def shares(self) -> dict[str, float]:
        """CPU seconds of the job by what its processes ran."""
        found: dict[str, float] = {}
        for key, title in self.jobs.items():
            found[title] = found.get(title, 0.0) + self.seen[key].cpu
        return found

    def memory(self) -> dict[str, float]:
        """PSS now, MiB, of the job's own processes and of Ray's."""
        found = {"job": 0.0, "ray": 0.0}
        for one in (each for root in self.roots for each in processes.family(root)):
            key = one.pid, one.started
            found["ray" if key in self.rays and key not in self.jobs else "job"] += _pss(one.pid)
        return found

    def memory_lines(self) -> list[tuple[str, float, float]]:
        """Command, PSS and RSS in MiB of each process now, the largest first."""
        members = [each for root in self.roots for each in processes.family(root)]
        lines = [
            (" ".join(one.command.split())[:60], _pss(one.pid), _pss(one.pid, "Rss"))
            for one in members
        ]
        return sorted(lines, key=lambda line: -line[1])

    def _kind(self, one: processes.Process) -> str:
        if one.command.startswith("ray::"):
            return "ray" if one.title in _AGENTS else "job"
        if "forked_worker" in one.command:  # ours, though Ray starts it
            return "job"
        rays = ("/ray/", "raylet", "gcs_server", "ray start", "resting_agent")
        if one.pid not in self.roots and any(part in one.command for part in rays):
            return "ray"
        return "job" if one.command else "other"


@dataclass(slots=True)
class Sampler:
    """Looks at a book from a thread until it is closed.

    Args:
        book: The book.
        memory: Whether memory is looked at, too.
    """

    book: CpuBook
    memory: bool = False
    most: dict[str, float] = field(default_factory=dict)
    lines: list[tuple[str, float, float]] = field(default_factory=list)
    _end: threading.Event = field(default_factory=threading.Event)
    _thread: threading.Thread | None = None

    def start(self) -> None:
        """Begin."""
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()

    def close(self) -> None:
        """End after a last look."""
        self._end.set()
        assert self._thread is not None
        self._thread.join()

    def _run(self) -> None:
        number = 0
        while not self._end.wait(_LOOK):
            self.book.look()
            number += 1
            if self.memory and number % _MEMORY_LOOKS == 0:
                now = self.book.memory()
                if now["job"] > self.most.get("job", 0.0):
                    self.most, self.lines = now, self.book.memory_lines()


def _pss(pid: int, what: str = "Pss") -> float:
    try:
        lines = Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines()
    except OSError:
        return 0.0
    return sum(int(line.split()[1]) for line in lines if line.startswith(f"{what}:")) / 1024
