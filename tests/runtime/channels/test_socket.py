"""Channels over real sockets: order, credit, breaks, and who may call."""

from __future__ import annotations

import contextlib
import dataclasses
import errno
import multiprocessing
import os
import resource
import socket
import threading
import time
from collections.abc import Callable, Iterator
from typing import Any

import polars as pl
import pytest

from raystream.checkpoint.barrier import Barrier
from raystream.data.batch import Batch
from raystream.ids import ChannelId, SubtaskId
from raystream.runtime.channels import handshake, listener
from raystream.runtime.channels import socket as socket_module
from raystream.runtime.channels.base import ChannelBroken
from raystream.runtime.channels.connection import Connection, IoThread
from raystream.runtime.channels.handshake import Membership
from raystream.runtime.channels.listener import (
    STRANGERS,
    ChannelListener,
    Handshakes,
    SocketAddress,
    connect,
)
from raystream.runtime.channels.socket import SocketReader, SocketWriter
from raystream.runtime.element import Element
from raystream.time.watermark import Watermark

CHANNEL = ChannelId(0, SubtaskId("source", 0), SubtaskId("window", 1))
MEMBER = Membership("job", 3, b"k" * 32)


class Pair:
    """A reader with its listener, and writers that call it."""

    def __init__(self, window: int = 4096) -> None:
        self.window = window
        self.woken = threading.Event()
        self.io = IoThread()
        self.reader = SocketReader(CHANNEL, self.woken.set, window)
        self.listener = ChannelListener(
            MEMBER, {CHANNEL: self.reader}, self.io, node="n", host="127.0.0.1"
        )

    def writer(self, *, unix: bool = True, member: Membership = MEMBER) -> SocketWriter:
        caller = "n" if unix else "another node"
        sock = connect(self.listener.address, caller, member, CHANNEL)
        return SocketWriter(CHANNEL, sock, self.io, self.woken.set, self.window)

    def read(self, count: int) -> list[Element]:
        got: list[Element] = []

        def enough() -> bool:
            while len(got) < count and (element := self.reader.poll()) is not None:
                got.append(element)
            return len(got) >= count

        eventually(enough)
        return got


@pytest.fixture
def pair() -> Iterator[Pair]:
    pair = Pair()
    yield pair
    pair.listener.close()
    pair.io.close()


def eventually(condition: Callable[[], bool], seconds: float = 5.0) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, "did not happen in time"
        time.sleep(0.001)


def batch(first: int, rows: int = 10) -> Batch:
    return Batch(pl.DataFrame({"n": range(first, first + rows)}))


@pytest.mark.parametrize("unix", [True, False])
def test_elements_arrive_in_order(pair: Pair, unix: bool) -> None:
    writer = pair.writer(unix=unix)
    writer.send(batch(0))
    writer.send(Watermark(9))
    writer.send(Barrier(1))
    first, *rest = pair.read(3)
    assert isinstance(first, Batch)
    assert first.frame["n"].to_list() == list(range(10))
    assert rest == [Watermark(9), Barrier(1)]


def test_a_batch_larger_than_socket_buffers_arrives_whole_without_blocking_the_sender(
    pair: Pair,
) -> None:
    writer = pair.writer()
    began = time.monotonic()
    writer.send(batch(0, rows=4_000_000))
    writer.send(Barrier(1))
    assert time.monotonic() - began < 2
    got, barrier = pair.read(2)
    assert isinstance(got, Batch)
    assert got.frame["n"].sum() == sum(range(4_000_000))
    assert barrier == Barrier(1)


def test_credit_runs_out_and_comes_back_when_the_reader_reads(pair: Pair) -> None:
    writer, sent = pair.writer(), 0
    while writer.has_credit():
        writer.send(batch(sent * 10))
        sent += 1
    time.sleep(0.05)
    assert not writer.has_credit()
    writer.send(Watermark(1))  # needs no credit
    assert len(pair.read(sent + 1)) == sent + 1
    eventually(writer.has_credit)


def test_the_sender_is_woken_by_credit(pair: Pair) -> None:
    writer = pair.writer()
    while writer.has_credit():
        writer.send(batch(0))
    eventually(pair.woken.is_set)
    time.sleep(0.05)
    pair.woken.clear()
    while pair.reader.poll() is not None:
        pass
    assert pair.woken.wait(2)


def test_a_break_is_told_after_everything_received_was_read(pair: Pair) -> None:
    writer = pair.writer()
    writer.send(Watermark(1))
    writer.send(Watermark(2))
    writer.close()
    assert pair.read(2) == [Watermark(1), Watermark(2)]
    with pytest.raises(ChannelBroken, match="the other end closed"):
        pair.read(1)


def test_the_sender_learns_that_the_receiver_is_gone(pair: Pair) -> None:
    writer = pair.writer()
    pair.read(0)
    eventually(lambda: pair.reader._connection is not None)
    pair.reader.close()

    def broken() -> bool:
        try:
            writer.send(Watermark(1))
        except ChannelBroken:
            return True
        return False

    eventually(broken)
    assert writer.has_credit()


def test_a_channel_that_ended_with_a_final_barrier_may_close(pair: Pair) -> None:
    writer = pair.writer()
    writer.send(Barrier(4, final=True))
    writer.close()
    assert pair.read(1) == [Barrier(4, final=True)]
    time.sleep(0.05)
    assert pair.reader.poll() is None


@pytest.mark.parametrize(
    "change", [{"key": b"x" * 32}, {"attempt": 2}, {"job": "other"}], ids=["key", "attempt", "job"]
)
def test_a_stranger_is_refused_and_the_right_one_still_gets_in(
    pair: Pair, change: dict[str, object]
) -> None:
    stranger = dataclasses.replace(MEMBER, **change)  # type: ignore[arg-type]
    with pytest.raises(ChannelBroken, match="no handshake"):
        pair.writer(member=stranger)
    pair.writer().send(Watermark(1))
    assert pair.read(1) == [Watermark(1)]


def test_a_listener_without_the_key_is_not_believed() -> None:
    server = socket.create_server(("127.0.0.1", 0))

    def impostor() -> None:
        sock, _ = server.accept()
        sock.sendall(b"c" * 32)
        sock.recv(4096)
        sock.sendall(b"m" * 32)
        sock.close()

    thread = threading.Thread(target=impostor)
    thread.start()
    address = SocketAddress("", "127.0.0.1", server.getsockname()[1])
    with pytest.raises(ChannelBroken, match="does not know this attempt's key"):
        connect(address, "n", MEMBER, CHANNEL)
    thread.join()
    server.close()


def test_a_silent_peer_holds_up_nobody_and_is_hung_up_on(pair: Pair) -> None:
    address = (pair.listener.address.host, pair.listener.address.port)
    silent = [socket.create_connection(address) for _ in range(20)]
    began = time.monotonic()
    pair.writer(unix=False).send(Watermark(1))
    assert pair.read(1) == [Watermark(1)]
    assert time.monotonic() - began < 1
    for sock in silent:
        sock.settimeout(4)
        sock.recv(32)
        assert sock.recv(1) == b""
        sock.close()


def handshakes_under_way() -> int:
    return sum(thread.name == "raystream-handshake" for thread in threading.enumerate())


def test_a_flood_of_silent_callers_is_limited_and_keeps_nobody_out(
    monkeypatch: pytest.MonkeyPatch, pair: Pair
) -> None:
    monkeypatch.setattr(listener, "HANDSHAKE_TIMEOUT", 60)
    address = (pair.listener.address.host, pair.listener.address.port)
    silent = [socket.create_connection(address) for _ in range(3 * STRANGERS)]
    began = time.monotonic()
    eventually(lambda: handshakes_under_way() <= STRANGERS + 1)
    pair.writer(unix=False).send(Watermark(1))
    assert pair.read(1) == [Watermark(1)]
    assert time.monotonic() - began < 5
    pair.listener.close()
    eventually(lambda: not handshakes_under_way())
    for sock in silent:
        sock.close()


def test_the_oldest_of_too_many_handshakes_is_hung_up_on_and_may_not_end_well() -> None:
    handshakes, pairs = Handshakes(2), [socket.socketpair() for _ in range(3)]
    for mine, _ in pairs:
        handshakes.begin(mine)
    (first, caller), *others = pairs
    assert caller.recv(1) == b""
    assert not handshakes.end(first)
    assert all(handshakes.end(mine) for mine, _ in others)
    for sock in (sock for both in pairs for sock in both):
        sock.close()


def test_a_byte_now_and_then_does_not_prolong_a_handshake() -> None:
    mine, caller = socket.socketpair()
    stop = threading.Event()

    def drip() -> None:
        while not stop.wait(0.0003):
            try:
                caller.send(b"\0")
            except OSError:
                return

    thread = threading.Thread(target=drip)
    thread.start()
    began = time.monotonic()
    with pytest.raises(ChannelBroken, match="did not finish the handshake"):
        handshake.answer(mine, MEMBER, 0.01)
    assert time.monotonic() - began < 0.5
    stop.set()
    thread.join()
    mine.close()
    caller.close()


@pytest.mark.parametrize("number", [errno.EMFILE, errno.ENFILE, errno.ECONNABORTED, errno.EPROTO])
def test_accepting_goes_on_after_an_error(monkeypatch: pytest.MonkeyPatch, number: int) -> None:
    accept, failed = socket.socket.accept, threading.Event()

    def flaky(server: socket.socket) -> tuple[socket.socket, Any]:
        if not failed.is_set():
            failed.set()
            raise OSError(number, os.strerror(number))
        return accept(server)

    monkeypatch.setattr(socket.socket, "accept", flaky)
    pair = Pair()
    assert failed.wait(5)
    for unix in (True, False):
        sock = connect(pair.listener.address, "n" if unix else "another", MEMBER, CHANNEL)
        sock.close()
    pair.listener.close()
    pair.io.close()


def test_accepting_goes_on_when_no_thread_can_be_started(
    monkeypatch: pytest.MonkeyPatch, pair: Pair
) -> None:
    start = threading.Thread.start

    def refused(thread: threading.Thread) -> None:
        if thread.name == "raystream-handshake":
            what = "can't start new thread"
            raise RuntimeError(what)
        start(thread)

    monkeypatch.setattr(threading.Thread, "start", refused)
    with pytest.raises(ChannelBroken, match="no handshake"):
        pair.writer()
    monkeypatch.undo()
    pair.writer().send(Watermark(1))
    assert pair.read(1) == [Watermark(1)]


def _run_out_of_descriptors() -> None:
    pair = Pair()
    callers = [socket.socket() for _ in range(2)]
    resource.setrlimit(resource.RLIMIT_NOFILE, (64, 64))
    taken: list[int] = []
    with contextlib.suppress(OSError):
        while True:
            taken.append(os.open(os.devnull, os.O_RDONLY))
    for caller in callers:
        caller.settimeout(5)
        caller.connect((pair.listener.address.host, pair.listener.address.port))
    before = time.process_time()
    time.sleep(0.5)
    assert time.process_time() - before < 0.1, "it tries without a pause"
    callers[0].close()  # tried, in vain
    for descriptor in taken:
        os.close(descriptor)
    handshake.call(callers[1], MEMBER, CHANNEL)
    SocketWriter(CHANNEL, callers[1], pair.io, pair.woken.set).send(Watermark(1))
    assert pair.read(1) == [Watermark(1)]
    pair.listener.close()
    pair.io.close()


def test_who_calls_while_there_are_no_descriptors_gets_in_when_there_are() -> None:
    """In a process of its own: the limit is real."""
    process = multiprocessing.get_context("spawn").Process(target=_run_out_of_descriptors)
    process.start()
    process.join(60)
    assert process.exitcode == 0
    process.close()


def test_a_second_caller_for_a_channel_is_cut_off(pair: Pair) -> None:
    first = pair.writer()
    eventually(lambda: pair.reader._connection is not None)
    second = pair.writer()

    def cut_off() -> bool:
        try:
            second.send(Watermark(0))
        except ChannelBroken:
            return True
        return False

    eventually(cut_off)
    first.send(Watermark(1))
    assert pair.read(1) == [Watermark(1)]


def test_of_many_callers_at_once_for_a_channel_one_is_connected(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    links: list[socket.socket] = []

    class Slow(Connection):
        def __init__(self, sock: socket.socket, io: IoThread, take: Any, on_break: Any) -> None:
            if isinstance(on_break.__self__, SocketReader):
                links.append(sock)
                time.sleep(0.2)
            super().__init__(sock, io, take, on_break)

    monkeypatch.setattr(socket_module, "Connection", Slow)
    pair = Pair()
    callers = [pair.writer() for _ in range(5)]
    eventually(lambda: not handshakes_under_way())
    assert len(links) == 1
    for caller in callers:
        caller.close()
    pair.listener.close()
    pair.io.close()


def test_nobody_there_names_the_channel() -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
    with pytest.raises(ChannelBroken, match=r"source\[0\]->window\[1\]#0: cannot reach"):
        connect(SocketAddress("", "127.0.0.1", port), "n", MEMBER, CHANNEL)


def test_many_channels_share_one_io_thread() -> None:
    channels = [ChannelId(0, SubtaskId("s", i), SubtaskId("t", 0)) for i in range(32)]
    io = IoThread()
    readers = {channel: SocketReader(channel, lambda: None) for channel in channels}
    accepting = ChannelListener(MEMBER, readers, io, node="n")
    writers = [
        SocketWriter(c, connect(accepting.address, "n", MEMBER, c), io, lambda: None)
        for c in channels
    ]
    for index, writer in enumerate(writers):
        writer.send(Watermark(index))
    got: dict[ChannelId, Element] = {}

    def all_in() -> bool:
        for channel, reader in readers.items():
            if (element := reader.poll()) is not None:
                got[channel] = element
        return len(got) == len(channels)

    eventually(all_in)
    assert got == {channel: Watermark(i) for i, channel in enumerate(channels)}
    accepting.close()
    io.close()
