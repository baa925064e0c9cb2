"""The check can fail: each safeguard left out in turn, and what is then missing or there twice.

The faults are put in by the job's own file, which replaces a method of the engine in its process.
Beside each stands the same story without the fault, which passes.
"""

from __future__ import annotations

import os
import signal
from collections.abc import Callable

import polars as pl
import pytest

from raystream.errors import RaystreamError
from tests.conftest import unique
from tests.e2e.conftest import rows
from tests.e2e.harness import Input, Job
from tests.support.broker import Broker
from tests.support.topics import produce

NewJob = Callable[..., Job]
SPLIT = {"E2E_COUNT": "3", "E2E_WRITE": "2", "E2E_RATE": "8000"}
pytestmark = pytest.mark.timeout(400)


def faults(job: Job, answer: pl.DataFrame) -> set[str]:
    """What the check finds."""
    try:
        found = job.compare(answer)
    except RaystreamError as error:
        if "a transaction hangs" not in error.what:
            raise
        return {"hanging"}
    kinds = {kind for kind in ("missing", "duplicated", "wrong") if getattr(found, kind)}
    return kinds | ({"hanging"} if job.hanging() else set())


@pytest.mark.parametrize(
    ("file", "expected"), [("per_minute.py", set()), ("no_resolve.py", {"missing"})]
)
def test_resolve_in_recovery(
    new_job: NewJob, answer: pl.DataFrame, file: str, expected: set[str]
) -> None:
    job = new_job(file=file)
    job.finish(["commit@coordinator:2"], **SPLIT)
    assert faults(job, answer) == expected


def test_requests_to_commit_delivered_twice(new_job: NewJob, answer: pl.DataFrame) -> None:
    job = new_job(file="late_duplicates.py")
    job.finish(["check prepared@coordinator:5"], **SPLIT)
    assert faults(job, answer) == set()


def test_producer_without_re_init(new_job: NewJob, answer: pl.DataFrame) -> None:
    """Needs the kill while the next transaction holds rows: three tries, one must show it."""
    found: set[str] = set()
    for _ in range(3):
        job = new_job(file="reused_producer.py")
        job.run(["check prepared@coordinator:3"], **{**SPLIT, "E2E_RATE": "4000"})
        found = faults(job, answer)
        if "duplicated" in found:
            break
    assert "duplicated" in found


@pytest.mark.parametrize(
    ("file", "expected"), [("failing_sink.py", set()), ("closed_producer.py", {"missing"})]
)
def test_close_of_a_prepared_producer(
    new_job: NewJob, answer: pl.DataFrame, file: str, expected: set[str]
) -> None:
    """A writer fails, and is closed, while the coordinator commits what it has prepared."""
    job = new_job(file=file)
    code = job.run(**SPLIT)
    assert code == (1 if expected else 0), job.said
    assert faults(job, answer) == expected


@pytest.mark.parametrize("file", ["per_minute.py", "ignored_errors.py"])
def test_a_record_that_the_broker_refuses(new_job: NewJob, kafka: Broker, file: str) -> None:
    """Without the check the others are committed and it is lost; with it the job stops."""
    topic = kafka.create_topic(unique("e2e-large"), 4)
    small = rows(4_000)
    large = small.head(1).with_columns(ip=pl.lit("9" * 300_000))
    produce(kafka.bootstrap, topic, [small, large])
    output = kafka.create_topic(unique("e2e-small"), 3, {"max.message.bytes": "500000"})
    job = new_job(file=file, input=topic, output=output)
    code = job.run()
    if file == "ignored_errors.py":
        assert code == 0, job.said
        assert "missing" in faults(job, Input(kafka.bootstrap, topic).answer())
    else:
        assert code == 1, job.said
        assert "not delivered" in job.said[-1]
        assert faults(job, Input(kafka.bootstrap, topic).answer()) <= {"missing"}


@pytest.mark.parametrize("file", ["strays_stay.py", "unconditional.py"])
def test_manifest_without_condition(new_job: NewJob, answer: pl.DataFrame, file: str) -> None:
    """A coordinator sleeps before its manifest until another has finished the job."""
    job = new_job(file=file)
    asleep = "check prepared done@coordinator:3"
    with job.start(f"{asleep}:stop", **SPLIT) as sleeper:
        job.reached(sleeper, asleep)
        job.run(**SPLIT)
        os.kill(sleeper.pid, signal.SIGCONT)
        sleeper.wait(60)
    job.file = "per_minute.py"
    job.run()
    found = faults(job, answer)
    assert found == set() if file == "strays_stay.py" else "duplicated" in found
