"""One sender and many receivers over real sockets in this process: what a row costs, both ends."""

from __future__ import annotations

import socket
import threading
import time

import polars as pl

from raystream.data.batch import TIME, Batch
from raystream.ids import ChannelId, SubtaskId
from raystream.plan.physical import ExchangeKind, ExchangeSpec
from raystream.runtime.channels.connection import IoThread
from raystream.runtime.channels.socket import SocketReader, SocketWriter
from raystream.runtime.exchange import Exchange
from tests.support.generator import requests

ROWS = 20_000


def cost(targets: int, batches: int) -> float:
    """CPU us per row.

    Args:
        targets: Number of receivers.
        batches: How many batches of `ROWS` rows are sent.
    """
    spec = ExchangeSpec(1, "read", "read", "", "count", ExchangeKind.HASH, ("ip",))
    came = threading.Event()
    sending, receiving = IoThread(), IoThread()
    writers, readers = [], []
    for index in range(targets):
        channel = ChannelId(1, SubtaskId("read", 0), SubtaskId("count", index))
        ours, theirs = socket.socketpair()
        writers.append(SocketWriter(channel, ours, sending, came.set))
        readers.append(SocketReader(channel, came.set))
        readers[-1].attach(theirs, receiving)
    exchange = Exchange(spec, writers)
    rows = requests(ROWS).select("ip", pl.col("ts").alias(TIME), n=pl.lit(1, pl.Int64))
    _round(exchange, readers, came, Batch(rows))
    began = time.process_time()
    for _ in range(batches):
        _round(exchange, readers, came, Batch(rows))
    used = time.process_time() - began
    exchange.close()
    for reader in readers:
        reader.close()
    sending.close()
    receiving.close()
    return used * 1e6 / (ROWS * batches)


def _round(
    exchange: Exchange, readers: list[SocketReader], came: threading.Event, batch: Batch
) -> None:
    exchange.emit(batch)
    left = len(batch)
    while left:
        came.wait()  # a loop that only looks would be what is measured
        came.clear()
        for reader in readers:
            while (element := reader.poll()) is not None:
                assert isinstance(element, Batch)
                reader.worked(len(element))
                left -= len(element)
