"""Where a subtask accepts its upstream subtasks, and how a subtask calls its downstream ones."""

from __future__ import annotations

import contextlib
import secrets
import socket
import sys
import threading
from collections.abc import Mapping
from dataclasses import dataclass

from raystream.ids import ChannelId
from raystream.runtime.channels import handshake
from raystream.runtime.channels.base import ChannelBroken
from raystream.runtime.channels.handshake import Membership
from raystream.runtime.channels.link import IoThread
from raystream.runtime.channels.socket import SocketReader

_BACKLOG = 128
HANDSHAKE_TIMEOUT = 2.0
"""Seconds a caller has to prove who it is."""

_CALL_TIMEOUT = 5.0


@dataclass(frozen=True, slots=True)
class SocketAddress:
    """Where a subtask accepts channels.

    Args:
        node: Node it runs on; callers on the same node use the Unix socket.
        host: IP address of the node.
        port: TCP port.
        unix: Name of the abstract Unix socket, empty where there are none (only Linux has them).
    """

    node: str
    host: str
    port: int
    unix: str = ""


class ChannelListener:
    """Accepts the expected channels of one attempt; each handshake runs in a short thread.

    So a silent caller holds up nobody (`multiprocessing.connection` waits for it in accept).

    Args:
        member: The attempt it belongs to.
        readers: The channels that will call.
        io: Serves the connections.
        node: Id of this node.
        host: IP address of this node.
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
        self._closed = False
        tcp = socket.create_server((host, 0), backlog=_BACKLOG)
        unix, name = _unix_server()
        self.address = SocketAddress(node, host, tcp.getsockname()[1], name)
        self._servers = [tcp] if unix is None else [tcp, unix]
        for server in self._servers:
            threading.Thread(
                target=self._accept, args=(server,), name="raystream-accept", daemon=True
            ).start()

    def close(self) -> None:
        """Accept nothing more; connected channels stay."""
        self._closed = True
        for server in self._servers:
            with contextlib.suppress(OSError):
                server.shutdown(socket.SHUT_RDWR)  # wakes accept; close alone does not
            server.close()

    def _accept(self, server: socket.socket) -> None:
        while not self._closed:
            try:
                sock, _ = server.accept()
            except OSError:
                return
            threading.Thread(
                target=self._shake, args=(sock,), name="raystream-handshake", daemon=True
            ).start()

    def _shake(self, sock: socket.socket) -> None:
        try:
            channel = handshake.answer(sock, self._member, HANDSHAKE_TIMEOUT)
            reader = self._readers[channel]
            if self._closed:
                sock.close()
                return
            reader.attach(sock, self._io)
        except (ChannelBroken, KeyError, ValueError):
            # A stranger, a zombie or a port scanner: not this attempt's business.
            sock.close()


def connect(
    address: SocketAddress, node: str, member: Membership, channel: ChannelId
) -> socket.socket:
    """Call the reading end of a channel.

    Args:
        address: Where it accepts.
        node: Id of the caller's node.
        member: The attempt the caller belongs to.
        channel: Which channel it is.

    Raises:
        ChannelBroken: nobody there, refused, or no answer.
    """
    try:
        sock = _dial(address, node)
    except OSError as error:
        what = f"can not reach {address.host}:{address.port}: {error}"
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
    """An abstract socket: nothing to unlink when the process is killed."""
    if sys.platform != "linux":
        return None, ""
    name = f"raystream-{secrets.token_hex(8)}"
    server = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    server.bind("\0" + name)
    server.listen(_BACKLOG)
    return server, name
