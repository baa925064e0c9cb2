"""A job that never ends: what it costs while idle, how late its rows are, what it holds."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

import polars as pl

from tests.support.bench.committed import Seen
from tests.support.bench.cpu import CpuBook
from tests.support.bench.figure import Figure
from tests.support.bench.job import PHASES, Order
from tests.support.bench.lab import Lab, statuses
from tests.support.generator import requests
from tests.support.topics import produce

PER_SECOND = 20_000
_BLOCKS_PER_SECOND = 50
_DELAY_MS = 500
_WINDOW_MS = 1000


def idle(lab: Lab) -> list[Figure]:
    """CPU of all processes of a job that has nothing to read."""
    seconds = lab.size(30, 300)
    source = lab.broker.create_topic(f"nothing-{time.monotonic_ns()}", 4)
    seed(lab, source)
    order = lab.order("requests", source, lab.target(), until=None)
    with lab.running(order) as child:
        time.sleep(10)
        book = CpuBook((child.pid,))
        book.look()
        before, began, each = book.totals(), time.monotonic(), book.shares()
        time.sleep(seconds)
        book.look()
        took = time.monotonic() - began
        used = sum(book.totals().values()) - sum(before.values())
        shares = {name: cpu - each.get(name, 0.0) for name, cpu in book.shares().items()}
        shares["Ray"] = book.totals()["ray"] - before["ray"]
    said = ", ".join(
        f"{name[:24]} {cpu / took:.1%}"
        for name, cpu in sorted(shares.items())
        if cpu / took > 0.001
    )
    return [Figure("idle job, all processes", (used / took * 100,), "% core", 6, beside=said)]


def memory(lab: Lab) -> list[Figure]:
    """Most PSS of a drain, by whose processes they are."""
    n = lab.size(4_000_000, 8_000_000)
    ran = lab.drain(lab.order("requests", lab.requests(n), lab.target()), memory=True)
    found = [
        Figure("memory of the job's processes (PSS), 100 k keys", (ran.memory["job"],), "MiB", 700),
        Figure("memory of the private Ray (PSS)", (ran.memory["ray"],), "MiB"),
    ]
    rss = sum(line[2] for line in ran.lines)
    found.append(Figure("RSS summed over all processes", (rss,), "MiB"))
    found += [
        Figure(f"  {name[:48]}", (pss,), "MiB", beside=f"RSS {full:.0f}")
        for name, pss, full in ran.lines[:12]
    ]
    return found


def latency(lab: Lab) -> list[Figure]:
    """From the moment that a window can close to its rows at a read_committed reader."""
    seconds = lab.size(25, 60)
    source, target = lab.broker.create_topic(f"live-{time.monotonic_ns()}", 4), lab.target()
    reader = lab.reader(target)
    order = live_order(lab, source, target)
    seed(lab, source)
    with lab.running(order), live(lab, source, clock := EventClock(time.time(), seconds)) as writer:
        time.sleep(10)  # the first windows are late: writer of segments and spare start meanwhile
        began = time.time() * 1000
        time.sleep(seconds)
        seen = list(reader.seen)
        writer.check()
    reader.close()
    late = sorted(_lateness(seen, clock, began))
    shown = f"{len(late):,} rows, interval 1 s"
    p50, p99 = late[len(late) // 2], late[int(len(late) * 0.99)]
    return [
        Figure("committed latency at 20 k records/s, p50", (p50,), "ms", 650, beside=shown),
        Figure("committed latency at 20 k records/s, p99", (p99,), "ms", 1200, beside=shown),
        *_phases(order, began),
    ]


def _phases(order: Order, began: float) -> list[Figure]:
    """What its checkpoints took: the median and, beside it, the longest."""
    told = {n: one for status in statuses(order) for n, one in status["phases"].items()}
    after = [one for one in told.values() if one["at_ms"] >= began]
    found = []
    for phase in PHASES:
        known = sorted(one[phase] * 1000 for one in after if one[phase] is not None)
        if known:
            beside = f"median of {len(known)} checkpoints, at most {known[-1]:.0f} ms"
            found.append(Figure(f"  {phase}", (known[len(known) // 2],), "ms", beside=beside))
    return found


class EventClock:
    """Event time that gains a second on the wall clock in the time of the measurement.

    Otherwise windows of a second would always close at the same moment of a checkpoint interval of
    a second, and the latency would be a matter of chance.

    Args:
        start: Epoch seconds where both agree.
        seconds: How long it takes to gain a second.
    """

    def __init__(self, start: float, seconds: float) -> None:
        self._start = start
        self._rate = 1 + 1 / seconds

    def event_ms(self, wall: float) -> float:
        """Event time at this moment, epoch ms."""
        return (self._start + (wall - self._start) * self._rate) * 1000

    def wall_ms(self, event_ms: float) -> float:
        """The moment of this event time, epoch ms."""
        return (self._start + (event_ms / 1000 - self._start) / self._rate) * 1000


class LiveWriter:
    """Writes rows whose event time is now.

    Args:
        bootstrap: Addresses of the broker.
        topic: With four partitions.
        clock: Of the event time.
    """

    def __init__(self, bootstrap: str, topic: str, clock: EventClock) -> None:
        self._where = (bootstrap, topic)
        self._clock = clock
        self._end = threading.Event()
        self._failed: list[BaseException] = []
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()

    def check(self) -> None:
        """Raise what it failed with."""
        if self._failed:
            raise self._failed[0]

    def close(self) -> None:
        """End."""
        self._end.set()
        self._thread.join()

    def _run(self) -> None:
        try:
            produce(*self._where, self._blocks())
        except BaseException as error:  # noqa: BLE001 - told by check
            self._failed.append(error)

    def _blocks(self) -> Iterator[pl.DataFrame]:
        size = PER_SECOND // _BLOCKS_PER_SECOND
        rows, due = requests(PER_SECOND * 5).drop("ts"), time.time()
        number = 0
        while not self._end.is_set():
            first = number * size % (rows.height - size)
            number += 1
            due += 1 / _BLOCKS_PER_SECOND
            time.sleep(max(0.0, due - time.time()))
            ts = pl.lit(int(self._clock.event_ms(time.time()))).alias("ts")
            yield rows.slice(first, size).select(ts, *rows.columns)


def seed(lab: Lab, topic: str) -> None:
    """A few rows, from which a job learns its columns: it starts before the others come."""
    produce(lab.broker.bootstrap, topic, [requests(4)])


@contextmanager
def live(lab: Lab, topic: str, clock: EventClock) -> Iterator[LiveWriter]:
    """Rows of this moment, 20,000 a second."""
    writer = LiveWriter(lab.broker.bootstrap, topic, clock)
    try:
        yield writer
    finally:
        writer.close()


def live_order(lab: Lab, source: str, target: str, **more: object) -> Order:
    """Windows of a second, a checkpoint each second, no end."""
    return lab.order(
        "requests",
        source,
        target,
        until=None,
        interval="1s",
        window=f"{_WINDOW_MS}ms",
        delay=f"{_DELAY_MS}ms",
        **more,
    )


def _lateness(seen: Sequence[Seen], clock: EventClock, began: float) -> Iterator[float]:
    """Of each row that was due after `began`: seen minus the moment when it was due, ms."""
    offset = time.time() - time.monotonic()
    for each in seen:
        for end, rows in each.ends.items():
            due = clock.wall_ms(end + _DELAY_MS)
            if due >= began:
                yield from [(each.at + offset) * 1000 - due] * rows
