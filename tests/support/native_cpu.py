"""CPU of reading Kafka, by Python and natively in turn: microseconds per record, all threads."""

from __future__ import annotations

import argparse
import gc
import os
import statistics
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor

import polars as pl

from raystream.connectors.base import ReadOptions
from raystream.connectors.kafka.connection import Kafka
from raystream.context import SubtaskContext
from raystream.data.batch import TIME
from raystream.data.schema import Schema
from raystream.ids import SubtaskId
from raystream.native import SWITCH, why_not
from raystream.runtime.system_clock import SystemClock
from tests.support import generator
from tests.support.broker import Broker
from tests.support.topics import produce

BATCH_ROWS = 20_000
WORKLOADS = {
    "base, 84 B, 2 of 5 fields": Schema.of({"ts": "int not null", "ip": "string"}),
    "wide, 1 KiB, 5 of 30 fields": Schema.of(
        {"ts": "int not null", "ip": "string", "ratio_1": "float", "ok": "bool", "number_7": "int"}
    ),
}


def wide(rows: pl.DataFrame) -> pl.DataFrame:
    """The rows with 25 columns more, about 1 KiB as JSON."""
    number = pl.int_range(pl.len())
    text = pl.concat_str(pl.lit("some words of a longer text, with a number: "), number)
    return rows.with_columns(
        *((text + pl.lit(" and more of it")).alias(f"text_{n}") for n in range(8)),
        *((number * 7919 % (10 ** (n + 1))).alias(f"number_{n}") for n in range(8)),
        *((number % 1000 / 8 + n).alias(f"ratio_{n}") for n in range(8)),
        (number % 2 == 0).alias("ok"),
    )


def read_all(kafka: Kafka, topic: str, schema: Schema, records: int, native: str) -> float:
    """Microseconds of CPU per record: polls, and one aggregation per batch as a job does."""
    os.environ[SWITCH] = native
    source = kafka.topic(topic).as_source()
    with ThreadPoolExecutor(2) as pool:
        subtask = SubtaskId("read", 0)
        ctx = SubtaskContext("cpu", "0a1b2c3d", 1, "read", subtask, 1, SystemClock(), pool)
        reader = source.reader(ctx, ReadOptions(schema, event_time="ts"))
        for split in source.discover(bounded=True):
            reader.add(split)
        frames: list[pl.DataFrame] = []
        rows = seen = 0
        began = time.process_time()
        while not reader.finished():
            chunk = reader.poll(2_000)
            if chunk is None:
                time.sleep(0.0005)
                continue
            frames.append(chunk.frame.hstack([chunk.frame.get_column("ts").alias(TIME)]))
            rows, seen = rows + chunk.frame.height, seen + chunk.frame.height
            if rows >= BATCH_ROWS:
                _aggregate(frames)
                frames, rows = [], 0
        spent = time.process_time() - began
        reader.close()
    assert seen == records, (seen, records)
    return spent * 1e6 / records


def _aggregate(frames: Sequence[pl.DataFrame]) -> None:
    window = (pl.col(TIME) - pl.col(TIME) % 60_000).alias("window")
    pl.concat(frames, rechunk=True).group_by(window, "ip").agg(pl.len())


def measured(broker: Broker, records: int, rounds: int, say: Callable[[str], None]) -> None:
    """Fill a topic per workload, and read it by both ways in turn."""
    for name, schema in WORKLOADS.items():
        number = records if name.startswith("base") else records // 4
        rows = generator.requests(number)
        topic = f"native-cpu-{name.partition(',')[0]}-{time.time_ns()}"
        broker.create_topic(topic, generator.PARTITIONS)
        bootstrap = broker.bootstrap
        produce(bootstrap, topic, [rows if name.startswith("base") else wide(rows)])
        found: dict[str, list[float]] = {"0": [], "1": []}
        for turn in range(rounds + 1):
            for native in ("0", "1") if turn % 2 else ("1", "0"):
                cost = read_all(Kafka(bootstrap), topic, schema, number, native)
                if turn:  # the first warms up
                    found[native].append(cost)
        python, fast = (statistics.median(found[native]) for native in ("0", "1"))
        say(f"{name}: Python {python:.3f}, native {fast:.3f} us/record: {python / fast:.2f} x")


def main() -> None:
    """Print the figures, and the load of the machine."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--records", type=int, default=1_000_000, help="of the base workload")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--bootstrap", help="of a broker that runs; else one is started")
    given = parser.parse_args()
    if why_not():
        raise SystemExit(f"no native reader: {why_not()}")
    gc.freeze()
    gc.set_threshold(200_000, 10, 10)
    print(f"load {os.getloadavg()[0]:.1f}, {given.records} records, median of {given.rounds}")
    if given.bootstrap:
        measured(Broker.attach(given.bootstrap), given.records, given.rounds, print)
        return
    with Broker.start() as broker:
        measured(broker, given.records, given.rounds, print)


if __name__ == "__main__":
    main()
