"""Where a subtask accepts its upstream subtasks, and how it connects to its downstream ones."""

from __future__ import annotations

import contextlib
import logging
import secrets
import socket
import sys
import threading
from collections.abc import Mapping
from dataclasses import dataclass

from raystream.ids import ChannelId
from raystream.runtime.channels import handshake
from raystream.runtime.channels.base import ChannelBroken
from raystream.runtime.channels.connection import IoThread
from raystream.runtime.channels.handshake import Membership
from raystream.runtime.channels.socket import SocketReader

log = logging.getLogger("raystream.subtask")

_BACKLOG = 128
HANDSHAKE_TIMEOUT = 2.0
"""Seconds in which a caller must prove its membership."""

STRANGERS = 64
"""Handshakes that may be in flight besides those of the expected channels."""

_PAUSE = 0.1
"""Seconds without accepting when there are no file descriptors: callers wait in the backlog."""

_CALL_TIMEOUT = 5.0


@dataclass(frozen=True, slots=True)
class SocketAddress:
    """Where a subtask accepts channels.

    Args:
        node: Its node; callers on the same node use the Unix socket.
        host: IP address it listens on.
        port: TCP port.
        unix: Name of the abstract Unix socket, empty where there is none (only Linux has them).
    """

    node: str
    host: str
    port: int
    unix: str = ""


class ChannelListener:
    """Accepts the expected channels of one attempt; each handshake runs in a short thread.

    So a silent caller does not delay others (`multiprocessing.connection` waits for it in accept);
    if there are too many, the oldest is disconnected. It accepts until closed, whatever fails.

    Args:
        member: The attempt it belongs to.
        readers: The expected channels.
        io: Serves the connections.
        node: Id of this node.
        host: IP address to listen on.
    """

    def __init__(
        self,
        member: Membership,
        readers: Mapping[ChannelId, SocketReader],
        io: IoThread,
        *,
        node: str = "",
        host: str = "127.0.0.1",
    ) -> None:
        self._member = member
        self._readers = readers
        self._io = io
        self._closed = threading.Event()
        self._warned = False
        tcp = socket.create_server((host, 0), backlog=_BACKLOG)
        unix, name = _unix_server()
        self.address = SocketAddress(node, host, tcp.getsockname()[1], name)
        # One limit each: strangers on TCP do not displace callers on the Unix socket.
        servers = [tcp] if unix is None else [tcp, unix]
        self._servers = {server: Handshakes(len(readers) + STRANGERS) for server in servers}
        for served in self._servers.items():
            threading.Thread(
                target=self._accept, args=served, name="raystream-accept", daemon=True
            ).start()

    def close(self) -> None:
        """Stop accepting; connected channels stay."""
        self._closed.set()
        for server, handshakes in self._servers.items():
            with contextlib.suppress(OSError):
                server.shutdown(socket.SHUT_RDWR)  # wakes accept; close alone does not
            server.close()
            handshakes.hang_up()

    def _accept(self, server: socket.socket, handshakes: Handshakes) -> None:
        while not self._closed.is_set():
            try:
                sock, _ = server.accept()
                self._begin(sock, handshakes)
            except (OSError, RuntimeError) as error:  # no descriptor, no thread, caller is gone
                self._wait_after(error)

    def _begin(self, sock: socket.socket, handshakes: Handshakes) -> None:
        handshakes.begin(sock)
        try:
            threading.Thread(
                target=self._shake, args=(sock, handshakes), name="raystream-handshake", daemon=True
            ).start()
        except RuntimeError:
            handshakes.end(sock)
            sock.close()
            raise

    def _wait_after(self, error: Exception) -> None:
        if self._closed.wait(_PAUSE) or self._warned:
            return
        self._warned = True
        log.warning("a channel cannot be accepted at once, it is tried again: %s", error)

    def _shake(self, sock: socket.socket, handshakes: Handshakes) -> None:
        try:
            channel = handshake.answer(sock, self._member, HANDSHAKE_TIMEOUT)
            reader = self._readers[channel]
            if handshakes.end(sock) and not self._closed.is_set():
                reader.attach(sock, self._io)
                return
        except (ChannelBroken, KeyError, ValueError, OSError):
            pass  # a stranger, a zombie or a port scanner: not part of this attempt
        handshakes.end(sock)
        sock.close()


class Handshakes:
    """Callers that have not proved their membership yet.

    Args:
        limit: Maximum number; one more disconnects the oldest: a genuine caller needs
            milliseconds, so the oldest of many is a silent one.
    """

    def __init__(self, limit: int) -> None:
        self._limit = limit
        self._lock = threading.Lock()
        self._pending: dict[socket.socket, None] = {}  # in the order of their calls

    def begin(self, sock: socket.socket) -> None:
        """Add a caller."""
        with self._lock:
            if len(self._pending) >= self._limit:
                self._hang_up_on(next(iter(self._pending)))
            self._pending[sock] = None

    def end(self, sock: socket.socket) -> bool:
        """Remove a caller that succeeded or failed; False: it was disconnected before."""
        with self._lock:
            known = sock in self._pending
            self._pending.pop(sock, None)
            return known

    def hang_up(self) -> None:
        """Disconnect all of them."""
        with self._lock:
            for sock in list(self._pending):
                self._hang_up_on(sock)

    def _hang_up_on(self, sock: socket.socket) -> None:
        """Shut the socket down, which wakes its thread; that closes it."""
        del self._pending[sock]
        with contextlib.suppress(OSError):
            sock.shutdown(socket.SHUT_RDWR)


def connect(
    address: SocketAddress, node: str, member: Membership, channel: ChannelId
) -> socket.socket:
    """Connect to the reading end of a channel.

    Args:
        address: Where it accepts.
        node: Id of the caller's node.
        member: The attempt of the caller.
        channel: The channel to connect.

    Raises:
        ChannelBroken: nothing listens there, refused, or no answer.
    """
    try:
        sock = _dial(address, node)
    except OSError as error:
        what = f"cannot reach {address.host}:{address.port}: {error}"
        raise ChannelBroken(what, str(channel)) from error
    try:
        handshake.call(sock, member, channel)
    except ChannelBroken:
        sock.close()
        raise
    return sock


def _dial(address: SocketAddress, node: str) -> socket.socket:
    if not address.unix or address.node != node:
        return socket.create_connection((address.host, address.port), timeout=_CALL_TIMEOUT)
    sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    sock.settimeout(_CALL_TIMEOUT)
    sock.connect("\0" + address.unix)
    return sock


def _unix_server() -> tuple[socket.socket | None, str]:
    """Open an abstract socket: nothing to unlink when the process is killed."""
    if sys.platform != "linux":
        return None, ""
    name = f"raystream-{secrets.token_hex(8)}"
    server = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    server.bind("\0" + name)
    server.listen(_BACKLOG)
    return server, name
