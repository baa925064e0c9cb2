"""The processes below one process, by /proc: what they are, what CPU they have used."""

from __future__ import annotations

import os
from collections.abc import Collection, Iterator
from dataclasses import dataclass
from pathlib import Path

PROC = Path("/proc")
_NO_SUBTASKS = ("ray::IDLE", "ray::Coordinator", "ray::write", "ray::Dashboard", "ray::Runtime")
_TICKS = os.sysconf("SC_CLK_TCK")


@dataclass(frozen=True, slots=True)
class Process:
    """One process at one moment.

    Args:
        pid: Its id.
        parent: Id of its parent.
        command: Its command line, as it calls itself (`ray::Subtask.wait`).
        cpu: CPU seconds used so far by all its threads.
        started: Clock ticks since boot; with the pid, its identity.
    """

    pid: int
    parent: int
    command: str
    cpu: float
    started: int

    @property
    def title(self) -> str:
        """What a Ray worker runs: `requests` of `ray::requests.wait`; else the command."""
        return self.command.removeprefix("ray::").partition(".")[0].strip()


def process(pid: int) -> Process | None:
    """The process with this id, or None if it is gone."""
    try:
        stat = (PROC / str(pid) / "stat").read_text()
        command = (PROC / str(pid) / "cmdline").read_bytes()
    except OSError:
        return None
    fields = stat.rpartition(")")[2].split()
    cpu = (int(fields[11]) + int(fields[12])) / _TICKS
    text = command.replace(b"\0", b" ").decode(errors="replace").strip()
    return Process(pid, int(fields[1]), text, cpu, int(fields[19]))


def family(root: int) -> list[Process]:
    """A process and everything below it; zombies included, empty if it is gone."""
    every = {found.pid: found for found in _all()}
    children: dict[int, list[int]] = {}
    for one in every.values():
        children.setdefault(one.parent, []).append(one.pid)
    members, pending = [], [root]
    while pending:
        pid = pending.pop()
        pending += children.get(pid, [])
        if pid in every:
            members.append(every[pid])
    return members


def subtasks(root: int, chains: Collection[str] = ()) -> list[Process]:
    """Subtask actors below a process, the busiest first (idle spares are the last).

    Args:
        root: Id of the process, a driver.
        chains: Only subtasks of these chains. A subtask's title is the name of its chain, or
            `spare` if it was a spare at first.
    """
    found = [one for one in family(root) if one.command.startswith("ray::")]
    working = [one for one in found if not one.command.startswith(_NO_SUBTASKS)]
    if chains:
        working = [one for one in working if one.title in chains]
    return sorted(working, key=lambda one: -one.cpu)


def coordinators(root: int) -> list[Process]:
    """Coordinator actors below a process."""
    return [one for one in family(root) if one.command.startswith("ray::Coordinator")]


RAY_PARTS = ("raylet", "gcs_server", "ray::DashboardAgent", "ray::RuntimeEnvAgent")
"""Processes of a node of Ray, without which it dies."""


def ray_part(root: int, part: str) -> Process:
    """That process of Ray's own below a process.

    Args:
        root: Id of the process.
        part: One of `RAY_PARTS`.

    Raises:
        LookupError: There is none.
    """
    for one in family(root):
        if one.command.startswith("ray::"):
            if one.command.startswith(part):
                return one
        elif one.command.partition(" ")[0].endswith(f"/{part}"):
            return one
    message = f"no {part} runs"
    raise LookupError(message)


def _all() -> Iterator[Process]:
    for entry in os.listdir(PROC):
        if entry.isdigit() and (found := process(int(entry))) is not None:
            yield found
