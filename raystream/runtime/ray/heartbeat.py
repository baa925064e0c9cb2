"""Whether the connected cluster is there: its control service, and the raylet of this node.

Ray itself takes 15 to 60 s to notice that they are gone, and then ends the process that asked.
"""

from __future__ import annotations

import socket
import threading
import time
from collections.abc import Callable
from typing import Any

import ray

_ray: Any = ray  # its stubs are incomplete

_PAUSE = 0.5
_CONNECT_SECONDS = 1.0
_REFUSALS = 2
"""Nobody listens there any more: once may be a moment, twice is not."""

_SILENT_SECONDS = 8.0

Address = tuple[str, int]


def watch_cluster(lost: Callable[[str], None]) -> None:
    """Have `lost` called, in a thread, with what is gone."""
    watched = {"its control service": _gcs(), **_raylet()}
    threading.Thread(
        target=_look, args=(watched, lost), name="raystream-heartbeat", daemon=True
    ).start()


def _look(watched: dict[str, Address], lost: Callable[[str], None]) -> None:
    pulses = {what: Pulse(address) for what, address in watched.items()}
    while True:
        for what, pulse in pulses.items():
            if not pulse.beats():
                lost(what)
                return
        time.sleep(_PAUSE)


class Pulse:
    """Somebody accepts connections at an address.

    Args:
        address: Host and port.
    """

    def __init__(self, address: Address) -> None:
        self._address = address
        self._refused = 0
        self._heard = time.monotonic()

    def beats(self) -> bool:
        """False once it is sure that nobody does."""
        try:
            socket.create_connection(self._address, timeout=_CONNECT_SECONDS).close()
        except ConnectionRefusedError:
            self._refused += 1
            return self._refused < _REFUSALS
        except OSError:  # no answer in time, no route: it may come back
            return time.monotonic() - self._heard < _SILENT_SECONDS
        self._refused, self._heard = 0, time.monotonic()
        return True


def _gcs() -> Address:
    host, _, port = str(ray.get_runtime_context().gcs_address).rpartition(":")
    return host, int(port)


def _raylet() -> dict[str, Address]:
    me = str(ray.get_runtime_context().get_node_id())
    mine = [node for node in _ray.nodes() if node["NodeID"] == me]
    if not mine:
        return {}
    return {"its raylet": (str(mine[0]["NodeManagerAddress"]), int(mine[0]["NodeManagerPort"]))}
