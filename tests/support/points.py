"""Kills and freezes at named points of real processes, ordered through the environment.

`RAYSTREAM_TEST_POINT="aligned@counts:2"` ends, with SIGKILL, the process of a subtask of the chain
`counts` when it comes to the point `aligned` for the second time; `...:2:stop` freezes it with
SIGSTOP instead, `...:2:driver` kills the driver (whose pid the test notes with `note_driver`), and
`...:2:mark` does nothing but note that it came so far. `@coordinator` is the coordinator. Several,
parted by `;`. Each happens once per directory `RAYSTREAM_TEST_MARKERS`, so the next attempt passes.
There every process also notes its name and pid: see `processes`.
"""

from __future__ import annotations

import os
import re
import signal
import threading
from dataclasses import dataclass
from pathlib import Path

from raystream.context import Points, nowhere

POINTS = "RAYSTREAM_TEST_POINT"
MARKERS = "RAYSTREAM_TEST_MARKERS"
FACTORY = "tests.support.points:points_from_environment"
"""Value of RAYSTREAM_POINTS that makes processes take their points from here."""

_ORDER = re.compile(
    r"(?P<point>[^@]+)@(?P<process>[^:]+):(?P<visit>\d+)(?::(?P<how>kill|stop|driver|mark))?"
)
_DRIVER = "driver.pid"


@dataclass(frozen=True, slots=True)
class _Order:
    point: str
    process: str
    visit: int
    how: str
    marker: Path

    def concerns(self, process: str) -> bool:
        """`counts` means each of counts[0], counts[1], ..."""
        return self.process in {process, process.partition("[")[0]}


def environment(orders: str, markers: Path) -> dict[str, str]:
    """What to give to `raystream.runtime.ray.entry.run(points=...)`.

    >>> environment("aligned@counts:1", Path("/tmp/m"))["RAYSTREAM_TEST_POINT"]
    'aligned@counts:1'
    """
    return {"RAYSTREAM_POINTS": FACTORY, POINTS: orders, MARKERS: str(markers)}


def happened(markers: Path) -> list[str]:
    """The orders that were carried out, as they were written."""
    return sorted(path.read_text() for path in markers.glob("*.happened"))


def note_driver(markers: Path, pid: int) -> None:
    """Say whom an order `...:driver` kills."""
    (markers / _DRIVER).write_text(str(pid))


def processes(markers: Path) -> list[tuple[str, int]]:
    """Every process that ever asked for its points: name and pid, in order of their coming."""
    notes = sorted(markers.glob("*.here"), key=lambda path: path.stat().st_mtime_ns)
    return [(name, int(pid)) for name, _, pid in (path.stem.rpartition(".") for path in notes)]


def points_from_environment(process: str) -> Points:
    """The points of the process called `coordinator` or by its subtask, `counts[0]`.

    Raises:
        ValueError: an order cannot be read.
    """
    if markers := os.environ.get(MARKERS):
        (Path(markers) / f"{process}.{os.getpid()}.here").touch()
    found = [_order(text) for text in os.environ.get(POINTS, "").split(";") if text.strip()]
    mine = [order for order in found if order.concerns(process)]
    return _Killer(mine).visit if mine else nowhere


class _Killer:
    def __init__(self, orders: list[_Order]) -> None:
        self._orders = orders
        self._visits: dict[str, int] = {}
        self._lock = threading.Lock()

    def visit(self, name: str) -> None:
        with self._lock:
            self._visits[name] = self._visits.get(name, 0) + 1
            due = [o for o in self._orders if o.point == name and o.visit == self._visits[name]]
        for order in due:
            if _first_time(order):
                _carry_out(order)


def _carry_out(order: _Order) -> None:
    if order.how == "driver":
        os.kill(int((order.marker.parent / _DRIVER).read_text()), signal.SIGKILL)
    elif order.how != "mark":
        os.kill(os.getpid(), signal.SIGSTOP if order.how == "stop" else signal.SIGKILL)


def _first_time(order: _Order) -> bool:
    try:
        with order.marker.open("x") as file:
            file.write(f"{order.point}@{order.process}:{order.visit}")
    except FileExistsError:
        return False
    return True


def _order(text: str) -> _Order:
    match = _ORDER.fullmatch(text.strip())
    if match is None:
        what = f"{POINTS}: {text!r} is not <point>@<process>:<visit>[:kill|stop|driver|mark]"
        raise ValueError(what)
    name = re.sub(r"[^A-Za-z0-9]+", "-", text.strip())
    marker = Path(os.environ[MARKERS]) / f"{name}.happened"
    how = match["how"] or "kill"
    return _Order(match["point"], match["process"], int(match["visit"]), how, marker)
