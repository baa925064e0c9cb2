"""Log output of the processes of a job, read by the job's own actors: needs no dashboard.

Ray redirects standard output and error of each worker to files on its node. The coordinator reads
those of its own node, including those of dead processes; a subtask reads those of each other node.
"""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import ray

from raystream.errors import ConfigurationError
from raystream.runtime.ray import internals
from raystream.runtime.ray.asked import Asked, Gone
from raystream.runtime.ray.log_files import Mark, last_lines, lines_since

STREAMS = ("out", "err")
"""File extensions of the logs of a worker."""

_RAYS_OWN = (":job_id:", ":task_name:", ":actor_name:")
_ANSWER_SECONDS = 5.0

_get: Any = ray.get


@dataclass(frozen=True, slots=True)
class Process:
    """A process of a job, alive or gone.

    Args:
        title: Its role: `counts[1]`, `coordinator`.
        node: Id of its node.
        pid: Its process id there.
    """

    title: str
    node: str
    pid: int


@dataclass(frozen=True, slots=True)
class Piece:
    """Lines of one file.

    Args:
        title: Title of the process.
        file: Node, pid and stream.
        lines: The lines.
        end: Where to continue.
    """

    title: str
    file: str
    lines: tuple[str, ...]
    end: Mark | None

    def prefixed(self) -> list[str]:
        """Each line prefixed with its process.

        >>> Piece("counts[1]", "", ("hello",), None).prefixed()
        ['counts[1] | hello']
        """
        return [f"{self.title} | {line}" for line in self.lines]


Marks = Mapping[str, Mark]
"""File -> where to continue; of any other one the last `lines` are read."""


# -- in the processes of a job -----------------------------------------------------------------


def read_here(processes: Sequence[Process], marks: Marks, lines: int) -> list[Piece]:
    """Log lines of these processes of this node.

    Args:
        processes: Processes of this node.
        marks: Where to continue.
        lines: Maximum number of lines of a file that is read for the first time.
    """
    directory = _directory()
    if directory is None:
        return []
    found = []
    for process in processes:
        for stream in STREAMS:
            for path in directory.glob(f"worker-*-{process.pid}.{stream}"):
                file = f"{process.node}/{path.name}"
                found.append(_piece(path, process.title, file, marks.get(file), lines))
    return [piece for piece in found if piece.lines or piece.end]


def read_everywhere(
    processes: Sequence[Process], readers: Mapping[str, Any], marks: Marks, lines: int
) -> list[Piece]:
    """Log lines of these processes, on any node.

    Args:
        processes: Alive or gone.
        readers: Node -> handle of a living subtask there.
        marks: Where to continue.
        lines: See `read_here`.
    """
    here = _node()
    found = read_here([p for p in processes if p.node == here], marks, lines)
    asked = {}
    for node in {p.node for p in processes} - {here}:
        there = [p for p in processes if p.node == node]
        if node in readers:
            asked[node] = readers[node].read_logs.remote(there, dict(marks), lines)
    for node, ref in asked.items():
        try:
            found += _get(ref, timeout=_ANSWER_SECONDS)
        except ray.exceptions.RayError:
            found.append(Piece("raystream", f"{node}/", (f"node {node} does not answer",), None))
    return found


def _piece(path: Path, title: str, file: str, mark: Mark | None, lines: int) -> Piece:
    if mark is None:
        text, end = last_lines(path)
    else:
        text, end = lines_since(path, mark)
    kept = [line for line in text if line and not line.startswith(_RAYS_OWN)]
    if mark is None:
        kept = kept[-lines:] if lines else []
    return Piece(title, file, tuple(kept), end)


def _directory() -> Path | None:
    """Directory in which Ray writes the logs of this node; derived from our own output."""
    try:
        path = Path(os.readlink("/proc/self/fd/2"))
    except OSError:
        path = Path()
    if path.name.startswith("worker-"):
        return path.parent
    named = internals.error_file()  # the output goes through a pipe when Ray rotates logs
    return Path(named).parent if named else None


def _node() -> str:
    return str(ray.get_runtime_context().get_node_id())


# -- from outside ------------------------------------------------------------------------------


class LogReader:
    """Reads the logs of a running job, each line once.

    Args:
        job: The job.
    """

    def __init__(self, job: Asked) -> None:
        self._job = job
        self._marks: dict[str, Mark] = {}

    def read(self, lines: int) -> list[Piece]:
        """Lines written since the last call.

        Args:
            lines: Maximum number of lines of each file that is read for the first time.

        Raises:
            ConfigurationError: the job no longer runs.
        """
        try:
            pieces: list[Piece] = self._job.ask(
                "logs", self._marks, lines, patience=_ANSWER_SECONDS
            )
        except Gone:
            what = f"job {self._job.name} is no longer running"
            advice = "Ray keeps the logs of its session on disk"
            raise ConfigurationError(what, what_to_do=advice) from None
        self._marks |= {each.file: each.end for each in pieces if each.end is not None}
        return [piece for piece in pieces if piece.lines]


def logs(job: Asked, lines: int = 100) -> list[str]:
    """The newest log lines of each process of a job, prefixed with the process.

    Args:
        job: The job.
        lines: Maximum number of lines of each process.

    Raises:
        ConfigurationError: the job does not run.
    """
    return [line for piece in LogReader(job).read(lines) for line in piece.prefixed()]
