"""The broker itself dies: in the middle of a commit, and while the job runs."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import pytest

from tests.conftest import unique
from tests.e2e.conftest import rows
from tests.e2e.harness import FULL, Input, Job
from tests.support.broker import Broker
from tests.support.chaos import JobProcess
from tests.support.topics import produce

pytestmark = pytest.mark.timeout(900)
SLOW = {"E2E_RATE": "4000", "E2E_COUNT": "3", "E2E_WRITE": "2"}
AT = [
    "mid commit@coordinator:2",
    "pre-commit flush@write:2",
    *(["create manifest@coordinator:2", "before done@coordinator:2"] if FULL else []),
    *(["re-init@write:2", "aligned@read:2", "recover seal@coordinator:1"] if FULL else []),
]


@pytest.fixture(scope="module")
def own_broker() -> Iterator[Broker]:
    """A broker of our own, to be broken."""
    with Broker.start() as broker:
        yield broker


@pytest.fixture(scope="module")
def own_input(own_broker: Broker) -> Input:
    topic = own_broker.create_topic(unique("e2e-requests"), 4)
    produce(own_broker.bootstrap, topic, [rows(16_000)])
    return Input(own_broker.bootstrap, topic)


@pytest.fixture(params=["one process", "ray"])
def own_job(
    request: pytest.FixtureRequest,
    own_broker: Broker,
    own_input: Input,
    new_job: Callable[..., Job],
) -> Job:
    where: tuple[str, ...] = ("--local",)
    if request.param == "ray":
        where = ("--address", request.getfixturevalue("ray_head"))
    output = own_broker.create_topic(unique("e2e-counts"), 3)
    bootstrap = own_broker.bootstrap
    return new_job(bootstrap=bootstrap, input=own_input.topic, output=output, where=where)


@pytest.mark.parametrize("order", AT)
def test_broker_killed(own_job: Job, own_broker: Broker, own_input: Input, order: str) -> None:
    """SIGKILL at this point of the job, started again on its data: the job continues by itself."""

    def kill(process: JobProcess) -> None:
        own_job.reached(process, order)
        own_broker.kill()
        own_broker.restart()

    own_job.finish([f"{order}:mark"], meanwhile=kill, timeout=150, **SLOW)
    own_job.check(own_input.answer())


def test_broker_and_job_killed(own_job: Job, own_broker: Broker, own_input: Input) -> None:
    """Both at once, between the manifest and the first commit."""
    order = "create manifest done@coordinator:2"

    def kill(process: JobProcess) -> None:
        if len(own_job.lives) == 0:
            own_job.reached(process, order)
            own_broker.kill()
            own_broker.restart()

    own_job.finish([f"{order}:driver"], meanwhile=kill, timeout=150, **SLOW)
    own_job.check(own_input.answer())
