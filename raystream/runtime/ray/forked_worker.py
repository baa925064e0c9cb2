"""A small program that a private Ray starts instead of each worker: the worker is a fork.

A worker takes a second of CPU to import Ray and the engine. The first of these programs imports
them once and stays, as a child of the raylet; it forks whenever another one asks, which then exits.
What was imported is in memory once. Nothing but imports happens before a fork: no batch was
processed, no connection made, and threads that libraries started meanwhile are idle. If anything
fails, the worker is started as Ray would start it.
"""

from __future__ import annotations

import contextlib
import fcntl
import json
import os
import select
import signal
import socket
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager

_SERVE = "--raystream-serve"
_RAYLET = "--raylet-name="
_PRELOAD = "--worker-preload-modules="
_OF_SETUP = ("--language=", "--serialized-runtime-env-context=")
"""Options of Ray's `setup_worker.py`, which prepares runtime environments."""

_ANSWER_SECONDS = 30.0
_ASK_SECONDS = 2.0
_LOOK = 0.25
_FORKED = b"1"
_PIECE = 1 << 16


def main(command: Sequence[str]) -> None:
    """Let a fork become the worker; with none to ask, become the process that forks.

    Args:
        command: What Ray would have run: Python, `setup_worker.py`, the worker and its options.
    """
    worker = worker_of(command)
    if worker and _option(worker, _PRELOAD):
        with contextlib.suppress(OSError):
            place = os.path.join(os.path.dirname(_option(worker, _RAYLET)), "raystream")
            found = meet(place)
            if isinstance(found, int):
                code = ["-P", __file__, _SERVE, str(found), *worker]
                os.execv(command[0], [command[0], *code])
            if ask(found, worker):
                return
    os.execv(command[0], list(command))


def worker_of(command: Sequence[str]) -> list[str]:
    """The worker and its options; empty: it asks for a runtime environment, or is not Python.

    >>> worker_of(["python", "setup_worker.py", "worker.py", "--a=1", "--language=PYTHON"])
    ['worker.py', '--a=1']
    >>> context = f'{_OF_SETUP[1]}{{"env_vars": {{"A": "1"}}}}'
    >>> worker_of(["python", "setup_worker.py", "worker.py", context])
    []
    """
    plain = (f"{_OF_SETUP[0]}PYTHON", f"{_OF_SETUP[1]}{{}}", _OF_SETUP[1])
    ours = [part for part in command[2:] if part not in plain]
    return [] if any(part.startswith(_OF_SETUP) for part in ours) else ours


def meet(place: str) -> socket.socket | int:
    """A connection to the process that forks; a listening socket's descriptor: there is none.

    Args:
        place: Path of its socket.

    Raises:
        OSError: neither is possible.
    """
    with _alone(f"{place}.lock"):
        asking = socket.socket(socket.AF_UNIX)
        try:
            asking.connect(place)
        except OSError:
            asking.close()
            return _listening(place)
        return asking


@contextmanager
def _alone(path: str) -> Iterator[None]:
    with open(path, "w") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield


def _listening(place: str) -> int:
    with contextlib.suppress(FileNotFoundError):
        os.unlink(place)
    server = socket.socket(socket.AF_UNIX)
    server.bind(place)
    os.chmod(place, 0o600)
    server.listen(128)
    server.set_inheritable(True)
    return server.detach()


def ask(forking: socket.socket, worker: Sequence[str]) -> bool:
    """Ask for a fork; returns whether there is one."""
    with forking:
        forking.settimeout(_ANSWER_SECONDS)
        forking.sendall(json.dumps([list(worker), dict(os.environ)]).encode())
        forking.shutdown(socket.SHUT_WR)
        return forking.recv(1) == _FORKED


# --- the process that forks


def serve(server: socket.socket, first: Sequence[str]) -> list[str]:
    """Fork for everyone who asks, until the raylet is gone.

    Args:
        server: Where they ask.
        first: The worker that this process was to be: it is forked, too.

    Returns:
        In each fork, what it is to run; elsewhere nothing, at the end.
    """
    raylet = os.getppid()
    _prepare(_option(first, _PRELOAD).split(","))
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)  # nobody waits for them: Ray sees that they end
    if not _fork(server, dict(os.environ)):
        return list(first)
    while os.getppid() == raylet:
        if select.select((server,), (), (), _LOOK)[0] and (worker := _answer(server)):
            return worker
    return []


def _prepare(modules: Sequence[str]) -> None:
    import gc
    from importlib import import_module

    for name in modules:
        with contextlib.suppress(ImportError):  # whoever needs it, reports it
            import_module(name)
    gc.freeze()  # a collection in a fork would copy what is shared


def _answer(server: socket.socket) -> list[str]:
    """Fork for one; returns in the fork what it is to run, elsewhere nothing."""
    with contextlib.suppress(OSError, ValueError), server.accept()[0] as asking:
        asking.settimeout(_ASK_SECONDS)
        worker, environment = json.loads(b"".join(iter(lambda: asking.recv(_PIECE), b"")))
        pid = _fork(server, environment)
        if not pid:
            return list(worker)
        try:
            asking.sendall(_FORKED)
        except OSError:  # gave up, and became the worker itself
            os.kill(pid, signal.SIGKILL)
    return []


def _fork(server: socket.socket, environment: Mapping[str, str]) -> int:
    import warnings

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # Python 3.12 warns of any threads
        pid = os.fork()
    if not pid:
        server.close()
        os.setpgid(0, 0)  # when a worker dies, the raylet ends its whole group
        signal.signal(signal.SIGCHLD, signal.SIG_DFL)
        os.environ.clear()
        os.environ.update(environment)
        if "numpy.random" in sys.modules:  # that of Python itself is seeded at each fork
            sys.modules["numpy.random"].seed()
    return pid


def run(worker: Sequence[str]) -> None:
    """Run the worker in this process, as `python WORKER` would."""
    import runpy

    sys.argv[:] = worker
    sys.path.insert(0, os.path.dirname(worker[0]))
    runpy.run_path(worker[0], run_name="__main__")


def _option(worker: Sequence[str], name: str) -> str:
    """Value of an option, empty if it is not there."""
    return next((part.removeprefix(name) for part in worker if part.startswith(name)), "")


if __name__ == "__main__":
    if sys.argv[1:2] == [_SERVE]:
        mine = serve(socket.socket(fileno=int(sys.argv[2])), sys.argv[3:])
        if mine:
            run(mine)
    else:
        main(sys.argv[1:])
