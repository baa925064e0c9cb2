"""Ports that stay the same across restarts of a broker."""

from __future__ import annotations

import random
import socket

HOST = "127.0.0.1"
# Below the ephemeral range, so that no outgoing connection can take one while a broker is down.
_RANGE = range(12_000, 32_000)


def free_ports(count: int) -> tuple[int, ...]:
    """Distinct ports of 12000-31999 that could be bound a moment ago, in random order.

    Args:
        count: How many.
    """
    chosen: list[int] = []
    candidates = random.SystemRandom().sample(_RANGE, 50 + 10 * count)
    for port in candidates:
        if len(chosen) == count:
            break
        if is_free(port):
            chosen.append(port)
    return tuple(chosen)


def is_free(port: int) -> bool:
    """Whether nobody listens on the port."""
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((HOST, port))
        except OSError:
            return False
    return True
