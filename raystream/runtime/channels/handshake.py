"""Handshake of a channel: both ends prove the attempt's key, the caller names the channel.

A zombie of an older attempt has another key, so it can neither write to this attempt nor read
from it. The key is never sent; each side answers the other's random challenge (HMAC, RFC 2104).
"""

from __future__ import annotations

import hashlib
import hmac
import json
import secrets
import socket
import time
from dataclasses import dataclass, field

from raystream.ids import ChannelId, SubtaskId
from raystream.runtime.channels.base import ChannelBroken

_NONCE = 32
_MAC = hashlib.sha256().digest_size
_LONGEST_HELLO = 16 * 1024


@dataclass(frozen=True, slots=True)
class Membership:
    """Proof that a process belongs to an attempt: job, attempt number, the attempt's secret."""

    job: str
    attempt: int
    key: bytes = field(repr=False)


def call(sock: socket.socket, member: Membership, channel: ChannelId) -> None:
    """The writing end: prove the key, name the channel, check that the other end knows the key.

    Args:
        sock: A connected blocking socket with a timeout.
        member: The attempt of this process.
        channel: The channel we will write.

    Raises:
        ChannelBroken: refused, or no answer in time.
    """
    hello = _hello(member, channel)
    try:
        challenge, mine = _receive(sock, _NONCE), secrets.token_bytes(_NONCE)
        proof = _mac(member.key, b"caller", challenge, mine, hello)
        sock.sendall(mine + len(hello).to_bytes(4, "little") + hello + proof)
        answer = _receive(sock, _MAC)
    except OSError as error:
        what = f"no handshake: {error}"
        raise ChannelBroken(what, str(channel)) from error
    if not hmac.compare_digest(answer, _mac(member.key, b"listener", mine, challenge, hello)):
        what = "the other end does not know this attempt's key"
        raise ChannelBroken(what, str(channel))


def answer(sock: socket.socket, member: Membership, timeout: float) -> ChannelId:
    """The reading end: challenge the caller and return the channel that it proved to be.

    Raises:
        ChannelBroken: wrong key, another job or attempt, or silence for `timeout` seconds.
    """
    deadline = time.monotonic() + timeout
    try:
        challenge = secrets.token_bytes(_NONCE)
        sock.settimeout(timeout)
        sock.sendall(challenge)
        theirs, hello, proof = _read_call(sock, deadline)
        if not hmac.compare_digest(proof, _mac(member.key, b"caller", challenge, theirs, hello)):
            what = "a caller does not know this attempt's key"
            raise ChannelBroken(what)
        channel = _channel(hello, member)
        sock.sendall(_mac(member.key, b"listener", theirs, challenge, hello))
    except OSError as error:
        what = f"a caller did not finish the handshake: {error}"
        raise ChannelBroken(what) from error
    return channel


def _read_call(sock: socket.socket, deadline: float) -> tuple[bytes, bytes, bytes]:
    theirs = _receive(sock, _NONCE, deadline)
    length = int.from_bytes(_receive(sock, 4, deadline), "little")
    if length > _LONGEST_HELLO:
        what = f"a caller announced {length} bytes"
        raise ChannelBroken(what)
    hello = _receive(sock, length, deadline)
    return theirs, hello, _receive(sock, _MAC, deadline)


def _receive(sock: socket.socket, size: int, deadline: float | None = None) -> bytes:
    data = b""
    while len(data) < size:
        if deadline is not None:
            sock.settimeout(_left(deadline))
        piece = sock.recv(size - len(data))
        if not piece:
            what = "the other end hung up"
            raise OSError(what)
        data += piece
    return data


def _left(deadline: float) -> float:
    """Seconds until the deadline. Single bytes do not extend it."""
    left = deadline - time.monotonic()
    if left <= 0:
        what = "too slow"
        raise TimeoutError(what)
    return left


def _mac(key: bytes, *parts: bytes) -> bytes:
    return hmac.new(key, b"".join(parts), hashlib.sha256).digest()


def _hello(member: Membership, channel: ChannelId) -> bytes:
    ends = [[end.chain, end.index] for end in (channel.source, channel.target)]
    return json.dumps([member.job, member.attempt, channel.exchange, *ends]).encode()


def _channel(hello: bytes, member: Membership) -> ChannelId:
    their_job, their_attempt, exchange, source, target = json.loads(hello)
    if (their_job, their_attempt) != (member.job, member.attempt):
        what = f"a caller belongs to attempt {their_attempt} of job {their_job}"
        raise ChannelBroken(what)
    return ChannelId(exchange, SubtaskId(*source), SubtaskId(*target))
