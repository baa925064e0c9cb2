"""Whether two addresses of Ray clusters are the same one."""

from __future__ import annotations

import socket


def may_be_same(given: str, connected: str) -> bool:
    """Whether an address may be that of the connected cluster; only HOST:PORT can say no.

    Args:
        given: By the user; `auto`, `local` and addresses of Ray clients may be any cluster.
        connected: HOST:PORT of the connected cluster.

    >>> may_be_same("10.0.0.7:6379", "10.0.0.7:6379"), may_be_same("auto", "10.0.0.7:6379")
    (True, True)
    >>> may_be_same("10.0.0.7:6380", "10.0.0.7:6379")
    False
    """
    host, _, port = given.rpartition(":")
    if given == connected or "://" in given or not (host and port.isdigit()):
        return True
    known, _, known_port = connected.rpartition(":")
    if int(port) != int(known_port):
        return False
    mine, theirs = _ips(host), _ips(known)
    return bool(mine & theirs) or (any(map(_is_here, mine)) and any(map(_is_here, theirs)))


def _ips(host: str) -> set[str]:
    try:
        return {str(info[4][0]) for info in socket.getaddrinfo(host.strip("[]"), None)}
    except OSError:
        return {host}


def _is_here(ip: str) -> bool:
    """Whether it is this machine: one can only listen there."""
    family = socket.AF_INET6 if ":" in ip else socket.AF_INET
    try:
        with socket.socket(family, socket.SOCK_STREAM) as sock:
            sock.bind((ip, 0))
    except OSError:
        return False
    return True
