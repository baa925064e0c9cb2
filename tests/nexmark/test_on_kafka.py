"""Nexmark from Kafka to Kafka: killed with SIGKILL around commits, rescaled, and exactly right."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from raystream.verify.read import read_json_topic
from tests.nexmark.jobs import FILE
from tests.nexmark.test_queries import EVENTS, lines, same
from tests.support import points
from tests.support.broker import Broker
from tests.support.chaos import JobProcess, until
from tests.support.topics import produce_values

QUERIES = ("q7", "q12")
"""A join whose answer holds ties and whole rows, and a window: rows that are added once each."""

KILLED = -9


def test_killed_and_rescaled_each_row_is_there_once(kafka: Broker, tmp_path: Path) -> None:
    for name in (*EVENTS, *(f"nexmark-{query}" for query in QUERIES)):
        kafka.create_topic(name, 4)
    half = len(lines("bid")) // 2
    for name in EVENTS:
        produce_values(kafka.bootstrap, name, lines(name)[: half if name == "bid" else None])
    for query in QUERIES:  # the windows that are open now are in the second checkpoint
        assert run(kafka, tmp_path, query, ["create manifest@coordinator:3"], []) == KILLED
    produce_values(kafka.bootstrap, "bid", lines("bid")[half:])
    wide = ["--parallelism", "4", "--until", "latest"]
    assert run(kafka, tmp_path, "q7", ["before done@coordinator:1"], wide) == KILLED
    for query in QUERIES:
        assert run(kafka, tmp_path, query, [], ["--parallelism", "2", "--until", "latest"]) == 0
        same(query, read_json_topic(kafka.bootstrap, f"nexmark-{query}"))


def run(
    kafka: Broker, home: Path, query: str, orders: Sequence[str], arguments: Sequence[str]
) -> int:
    """One process of the job of a query; its exit code."""
    markers = home / f"{query}-markers"
    markers.mkdir(exist_ok=True)
    environment = {
        "RAYSTREAM_BOOTSTRAP_SERVERS": kafka.bootstrap,
        "RAYSTREAM_CHECKPOINT_STORAGE": str(home / query),
        "RAYSTREAM_CHECKPOINT_INTERVAL": "200ms",
        **points.environment(";".join(orders), markers),
    }
    with JobProcess(f"{FILE}:{query}", ["--local", *arguments], environment) as process:
        until(lambda: not process.running(), 90.0, f"{query} to end")
        code = process.wait(10.0)
        assert code in (0, KILLED), process.output()[-3000:]
        return code
