"""The Ray cluster of a job: the given one, one started by hand, or else a private one."""

from __future__ import annotations

import logging
import os
import socket
import sys
import tempfile
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from importlib import import_module
from pathlib import Path
from typing import Any

import ray

from raystream.errors import ConfigurationError
from raystream.job.facts import without_credentials
from raystream.runtime.ray import internals
from raystream.runtime.ray.addresses import may_be_same
from raystream.runtime.ray.private_ray import only_loopback, start_private_ray
from raystream.runtime.ray.probe import asks_for_token, check_answers
from raystream.runtime.signals import interrupted_by_sigterm

_REACH_SECONDS = 1.0
_JOIN_SECONDS = 5.0
_LINE = 100
"""Maximum length of a shown Ray message, characters."""

_TOLD_BY_US = ("A worker died", "Task Coordinator.wait failed")
"""Messages not repeated: the status names the cause of each restart."""

_ray: Any = ray  # its stubs are incomplete


@contextmanager
def attached(address: str | None) -> Iterator[bool]:
    """Connect to a cluster; yields whether it is a private one, which is shut down afterwards.

    A connection that this process has already made to it is used and kept.

    Args:
        address: As given by the user; None: RAY_ADDRESS, else a head that `ray start` started on
            this machine, else a private cluster. Another process's private cluster is never used.

    Raises:
        ConfigurationError: no cluster at this address, it refuses the connection, or this process
            is connected to another one.
    """
    if is_connected(address):
        _Own.looking = False
        yield False
        return
    private = _connect(address)
    try:
        with interrupted_by_sigterm():
            yield private
    finally:
        ray.shutdown()


def connect(address: str | None) -> bool:
    """Connect until this process ends; returns whether the cluster is this process's private one.

    Args:
        address: As for `attached`.

    Raises:
        ConfigurationError: as `attached`.
    """
    if not is_connected(address):
        _Own.private = _connect(address)
    _Own.looking = False
    return _Own.private


class _Own:
    """Whether `connect` started a cluster for this process, and whether it only views others."""

    private = False
    looking = False
    at_private = False


def is_connected(address: str | None) -> bool:
    """Whether this process is connected to the cluster; it leaves another that it only views.

    Args:
        address: As given by the user; None: whichever it is connected to.

    Raises:
        ConfigurationError: it is connected to another one to run something.
    """
    if not ray.is_initialized():
        return False
    connected = gcs_address()
    if address is None or may_be_same(address, connected):
        return True
    if not _Own.looking:
        what = f"this process is connected to the Ray cluster at {connected}, not to {address}"
        raise ConfigurationError(what, what_to_do="leave out the address, or ray.shutdown() first")
    ray.shutdown()
    _Own.looking = _Own.at_private = False
    return False


def look_at(address: str) -> None:
    """Connect in order to view the jobs of a cluster; such a connection may be replaced later.

    Raises:
        ConfigurationError: as `attached`.
    """
    if not is_connected(address):
        connect(address)
        _Own.looking = True


def look_at_private(address: str) -> bool:
    """Connect to a private cluster on this machine; False: it is gone, or we may not switch.

    A connection that was made to run something is kept.

    Args:
        address: As recorded by its run.
    """
    if ray.is_initialized():
        if gcs_address() == address:
            return True
        if not _Own.looking:
            return False
        ray.shutdown()
    try:
        check_reachable(address)
        _quiet()
        only_loopback()
        _use_token_if_wanted(address)
        _ray.init(address=address, log_to_driver=False, logging_level=logging.ERROR)
    except Exception:  # noqa: BLE001 - it ended a moment ago, whatever Ray says about that
        return False
    _Own.looking = _Own.at_private = True
    return True


def only_looks_at_private() -> bool:
    """Whether this process is connected to another one's private cluster."""
    return _Own.at_private


def would_be_private(address: str | None) -> bool:
    """Whether `connect` would start a cluster.

    Args:
        address: As for `attached`.
    """
    return not ray.is_initialized() and _is_private(_found(address))


def _found(address: str | None) -> str | None:
    return address or os.environ.get("RAY_ADDRESS") or started_head()


def _is_private(found: str | None) -> bool:
    return found is None or found == "local"


def _connect(address: str | None) -> bool:
    found = _found(address)
    private = _is_private(found)
    _import_meanwhile()
    if private or found is None:
        _quiet()
        start_private_ray()
    else:
        _join(found)
    return private


def started_head() -> str | None:
    """Address of the head that `ray start` started on this machine, if it still answers."""
    file = _temporary() / "ray_current_cluster"
    try:
        address = file.read_text().strip()
    except OSError:
        return None
    host, _, port = address.rpartition(":")
    try:
        socket.create_connection((host, int(port)), timeout=_REACH_SECONDS).close()
    except (OSError, ValueError):
        return None
    return address


def use_token_if_there_is_one() -> None:
    """Enable token authentication if this user has a token; Ray does not do so with an address.

    Setting the variable alone is too late once Ray is imported, so call Ray's own function.
    """
    internals.enable_token()


def _use_token_if_wanted(address: str) -> None:
    """Same, unless the cluster asks for none: it sends none either, and we would refuse its calls.

    Ray takes such a refusal for the end of its owner, and ends an actor before it has started.
    """
    if asks_for_token(address.removeprefix("ray://")) is False:
        internals.disable_token()
    else:
        use_token_if_there_is_one()


def nodes() -> list[str]:
    """Ids of the cluster's living nodes."""
    return [str(node["NodeID"]) for node in _ray.nodes() if node["Alive"]]


def gcs_address() -> str:
    """Address of the connected cluster."""
    return str(ray.get_runtime_context().gcs_address)


def cpus() -> int:
    """CPUs of the connected cluster's living nodes, at least 1."""
    return max(1, int(_ray.cluster_resources().get("CPU", 1)))


def _import_meanwhile() -> None:
    """Import in the background what is needed next (0.5 s of CPU): joining is mostly waiting."""
    threading.Thread(
        target=import_module, args=("raystream.runtime.ray.entry",), daemon=True
    ).start()


def _join(address: str) -> None:
    check_reachable(address)
    _quiet()
    _use_token_if_wanted(address)
    check_answers(address.removeprefix("ray://"))
    try:
        _ray.init(address=address, log_to_driver=False, logging_level=logging.ERROR)
    except Exception as error:
        what = f"cannot join the Ray cluster at {address}: {_first_line(error)}"
        advice = (
            "check the address and that it runs; if it asks for a token, put it into "
            "~/.ray/auth_token or RAY_AUTH_TOKEN"
        )
        raise ConfigurationError(what, what_to_do=advice) from error


def check_reachable(address: str) -> None:
    """Check first: Ray tries for a minute and prints meanwhile; `auto` is left to Ray.

    Raises:
        ConfigurationError: nobody listens there.
    """
    if address.startswith(("http://", "https://")):
        what = f"{address} is the address of a dashboard"
        raise ConfigurationError(what, what_to_do="give that of the head, HOST:6379 as a rule")
    host, _, port = address.removeprefix("ray://").rpartition(":")
    if not (host and port.isdigit()):
        return
    try:
        socket.create_connection((host, int(port)), timeout=_JOIN_SECONDS).close()
    except OSError as error:
        shown = without_credentials(address)
        what = f"no Ray cluster answers at {shown}: {error.strerror or error}"
        advice = "check the address and that it runs; `run` without one starts a Ray of its own"
        raise ConfigurationError(what, what_to_do=advice) from None


def _quiet() -> None:
    os.environ.setdefault("RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO", "0")
    logging.getLogger("ray").setLevel(logging.ERROR)
    _shorten_raylet_messages()


def _shorten_raylet_messages() -> None:
    """Print messages of raylets as one line on standard error, and skip those that we report.

    Ray prints up to 20 lines of a log, to standard output, and has no setting for it.
    """
    internals.print_messages_with(_first_line_only)


def _first_line_only(data: Mapping[str, Any], ignore_prefix: bool = False) -> None:
    """Replacement for the function that Ray calls with each message.

    >>> _first_line_only({"lines": ["A worker died or was killed while executing a task by .."]})
    """
    for message in data.get("lines", ()):
        line = _first_line(message)
        if line.startswith(_TOLD_BY_US):
            continue
        short = line if len(line) <= _LINE else line[:_LINE].rpartition(" ")[0] + " .."
        print(f"ray: {short}", file=sys.stderr)


def _temporary() -> Path:
    """Directory of Ray's files (ray._common.utils.get_default_system_temp_dir)."""
    return Path(os.environ.get("RAY_TMPDIR") or tempfile.gettempdir()) / "ray"


def _first_line(error: Exception | str) -> str:
    lines = str(error).strip().splitlines()
    return lines[0] if lines else type(error).__name__
