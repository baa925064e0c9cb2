"""One input for the whole session, and fresh jobs on it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import polars as pl
import pytest

from tests.conftest import unique
from tests.e2e.harness import FULL, Input, Job
from tests.support import generator
from tests.support.broker import Broker
from tests.support.topics import produce

ROWS = 60_000 if FULL else 30_000
KEYS = 200
PER_SECOND = 20


@pytest.fixture(scope="session")
def requests(kafka: Broker) -> Input:
    """Requests over some minutes of event time, in four partitions."""
    topic = kafka.create_topic(unique("e2e-requests"), 4)
    produce(kafka.bootstrap, topic, [rows(ROWS)])
    return Input(kafka.bootstrap, topic)


def rows(n: int, first: int = 0) -> pl.DataFrame:
    return generator.requests(n, first=first, keys=KEYS, per_second=PER_SECOND)


@pytest.fixture(scope="session")
def answer(requests: Input) -> pl.DataFrame:
    """What every job on `requests` must write."""
    return requests.answer()


@pytest.fixture
def ray_job(new_job: Callable[..., Job], ray_head: str) -> Job:
    """A job on Ray: two subtasks that read, two that count, one that writes."""
    return new_job(where=("--address", ray_head))


@pytest.fixture
def new_job(kafka: Broker, requests: Input, tmp_path: Path) -> Iterator[Callable[..., Job]]:
    """Makes jobs that share nothing."""

    def make(**options: Any) -> Job:
        name = unique("job")
        home = tmp_path / name
        home.mkdir()
        settings = {"bootstrap": kafka.bootstrap, "input": requests.topic, **options}
        partitions = settings.pop("partitions", 3)
        output = settings.pop("output", None) or kafka.create_topic(
            unique("e2e-counts"), partitions
        )
        return Job(output=output, name=name, home=home, **settings)

    return make


@pytest.fixture
def job(new_job: Callable[..., Job]) -> Job:
    """A job in one process."""
    return new_job()
