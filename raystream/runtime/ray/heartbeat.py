"""Check that the connected cluster is alive: its control service, this node's raylet, agents.

Ray itself takes 15 to 60 s to notice that they are gone, and then ends the calling process; a
frozen process it does not notice at all, or as late. Subtasks and coordinators are not checked
here: subtasks are checked by their coordinator, and the coordinator by its driver.
"""

from __future__ import annotations

import contextlib
import os
import signal
import socket
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, Protocol

import ray

from raystream.runtime.ray.session import STOPPED, members, state_of

_ray: Any = ray  # its stubs are incomplete

_PAUSE = 0.5
_ANSWER_SECONDS = 1.0
_REFUSALS = 2
"""Refused connections before a server counts as gone: one may be chance, two are not."""

SILENT_SECONDS = 8.0
"""How long a server may be silent, seconds: on a busy machine a process waits seconds to run."""

HURRIED_SECONDS = 2.0
"""The same limit if the end of the job has been requested, seconds."""

STOPPED_SECONDS = 3.0
"""How long a process may be stopped (SIGSTOP), seconds; the load of the machine has no effect."""

_HELLO = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" + bytes([0, 0, 0, 4, 0, 0, 0, 0, 0])
"""Preface of a gRPC client (RFC 9113, 3.4); a live server answers with its settings."""

_PARTS = {
    b"ray::DashboardAgent": "its agent",
    b"ray::RuntimeEnvAgent": "its agent",
    b"gcs_server": "its control service",
    b"raylet": "its raylet",
}
_IDLE = b"ray::IDLE"
_IDLE_EVERY = 10
"""Checks between two scans of all processes of this machine."""

Address = tuple[str, int]


class Sign(Protocol):
    """A sign of life."""

    def missing(self, patience: float) -> str | None:
        """Describe the problem once it is certain; None: no problem.

        Args:
            patience: Seconds of silence to tolerate.
        """
        ...


class Heartbeat:
    """Checks signs of life until one is missing.

    Args:
        lost: Called in a thread, once, with what is gone or frozen.
        private: The cluster is this process's own: its agents are checked too.
    """

    def __init__(self, lost: Callable[[str], None], *, private: bool) -> None:
        self._lost = lost
        self._patience = SILENT_SECONDS
        self._signs = _signs(private=private)
        threading.Thread(target=self._look, name="raystream-heartbeat", daemon=True).start()

    def hurry(self) -> None:
        """Detect silence sooner from now on, at the risk of a mistake on a busy machine."""
        self._patience = HURRIED_SECONDS

    def _look(self) -> None:
        while True:
            for what, sign in self._signs.items():
                wrong = sign.missing(self._patience)
                if wrong is not None:
                    self._lost(f"{what} {wrong}")
                    return
            time.sleep(_PAUSE)


class Pulse:
    """Checks that a gRPC server answers at an address.

    Args:
        address: Host and port.
    """

    def __init__(self, address: Address) -> None:
        self._address = address
        self._refused = 0
        self._heard = time.monotonic()

    def missing(self, patience: float) -> str | None:
        """A problem if nothing listens there, or the server has been silent for too long."""
        try:
            self._greet()
        except ConnectionRefusedError:
            self._refused += 1
            return "is gone" if self._refused >= _REFUSALS else None
        except OSError:  # no answer in time, no route: it may come back
            silent = time.monotonic() - self._heard >= patience
            return "does not answer" if silent else None
        self._refused, self._heard = 0, time.monotonic()
        return None

    def _greet(self) -> None:
        """Exchange a byte: a stopped process still accepts connections, since its kernel does."""
        with socket.create_connection(self._address, timeout=_ANSWER_SECONDS) as connection:
            if os.environ.get("RAY_USE_TLS") == "1":  # no traffic before the handshake
                return
            connection.sendall(_HELLO)
            if not connection.recv(1):
                what = "it hung up"
                raise ConnectionAbortedError(what)


class Moving:
    """Checks that a process of this machine is not stopped, as by SIGSTOP.

    Args:
        pid: Its id.
    """

    def __init__(self, pid: int) -> None:
        self._pid = pid
        self._moved = time.monotonic()

    def missing(self, patience: float) -> str | None:
        """A problem if it has been stopped for too long; its end is detected elsewhere."""
        if state_of(self._pid) != STOPPED:
            self._moved = time.monotonic()
        stopped = time.monotonic() - self._moved
        return "stands still" if stopped >= min(patience, STOPPED_SECONDS) else None


class IdleWorkers:
    """Kills stopped workers without work: the next actor would get one, and wait for ever.

    Args:
        session: The session to which they belong.
    """

    def __init__(self, session: int) -> None:
        self._session = session
        self._looks = 0
        self._stopped: set[int] = set()

    def missing(self, patience: float) -> str | None:
        """Always None: their loss does no harm."""
        self._looks += 1
        if self._looks % _IDLE_EVERY == 0:
            now = {pid for pid in members(self._session) if _is_stopped_idle(pid)}
            for pid in now & self._stopped:
                with contextlib.suppress(OSError):
                    os.kill(pid, signal.SIGKILL)
            self._stopped = now
        return None


def _is_stopped_idle(pid: int) -> bool:
    return state_of(pid) == STOPPED and _command(pid).startswith(_IDLE)


def _signs(*, private: bool) -> dict[str, Sign]:
    signs: dict[str, Sign] = {"its control service": Pulse(_gcs())}
    raylet = _raylet()
    if raylet is not None:
        signs["its raylet"] = Pulse(raylet)
    if private:
        session = os.getsid(0)
        signs |= {f"{part}, process {pid},": Moving(pid) for pid, part in _parts(session)}
        signs["its workers"] = IdleWorkers(session)
    return signs


def _gcs() -> Address:
    host, _, port = str(ray.get_runtime_context().gcs_address).rpartition(":")
    return host, int(port)


def _raylet() -> Address | None:
    me = str(ray.get_runtime_context().get_node_id())
    mine = [node for node in _ray.nodes() if node["NodeID"] == me]
    if not mine:
        return None
    return str(mine[0]["NodeManagerAddress"]), int(mine[0]["NodeManagerPort"])


def _parts(session: int) -> Iterator[tuple[int, str]]:
    for pid in members(session):
        name = os.path.basename(_command(pid).partition(b"\0")[0])
        for title, part in _PARTS.items():
            if name.startswith(title):
                yield pid, part


def _command(pid: int) -> bytes:
    try:
        return Path(f"/proc/{pid}/cmdline").read_bytes()
    except OSError:
        return b""
