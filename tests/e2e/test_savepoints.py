"""Savepoints on a real broker: what was kept continues elsewhere, and every row counts once."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import polars as pl
import pytest

import raystream as rs
from raystream.api.jobs.run import RunOptions, prepare
from raystream.errors import ConfigurationError
from raystream.job.messages import StopKind
from raystream.job.outcome import Outcome
from raystream.runtime.local import LocalRuntime
from raystream.storage.open import open_store
from raystream.storage.savepoints import SAVEPOINT_KEY
from raystream.verify.compare import compare
from raystream.verify.read import read_json_topic
from raystream.verify.report import report
from tests.conftest import unique
from tests.e2e.conftest import rows
from tests.e2e.harness import Input
from tests.support.broker import Broker
from tests.support.chaos import until
from tests.support.topics import produce

HALF = 6_000
KEYS = ["ip", "window_start"]
pytestmark = pytest.mark.timeout(400)


@dataclass
class Place:
    """Topics, and a directory for storage and savepoints."""

    kafka: Broker
    home: Path
    input: str
    output: str

    def pipeline(
        self, name: str, *, counts: str = "counts", parallelism: int = 2, extra: str = ""
    ) -> rs.Pipeline:
        """Requests per IP and minute; with `extra`, also bytes per IP into this topic."""
        broker = rs.Kafka(self.kafka.bootstrap)
        p = rs.Pipeline(
            name,
            checkpoint_interval="300ms",
            checkpoint_storage=str(self.home / name),
            parallelism=parallelism,
        )
        requests = p.read(
            broker.topic(self.input),
            event_time="ts",
            schema={"ts": int, "ip": str, "bytes": int},
            watermark=rs.Watermark(out_of_orderness="10s"),
            name="read",
        )
        keyed = requests.key_by("ip")
        keyed.window(rs.tumbling("1m"), name=counts).agg(count=rs.count()).write(
            broker.topic(self.output), name="write"
        )
        if extra:
            windowed = requests.key_by("ip").window(rs.tumbling("1m"), name="bytes")
            windowed.agg(sum=rs.sum("bytes")).write(broker.topic(extra), name="write-bytes")
        return p

    def fill(self, first: int) -> None:
        produce(self.kafka.bootstrap, self.input, [rows(HALF, first=first)])

    def answer(self) -> pl.DataFrame:
        return Input(self.kafka.bootstrap, self.input).answer()

    def check(self) -> None:
        """The output, of all jobs together, is the answer."""
        comparison = compare(self.answer(), self.written(self.output), KEYS)
        assert comparison.same, report(comparison)
        assert comparison.expected > 0

    def written(self, topic: str) -> list[dict[str, Any]]:
        return read_json_topic(self.kafka.bootstrap, topic)


@pytest.fixture
def place(kafka: Broker, tmp_path: Path) -> Place:
    """The first half of the input is there."""
    topics = [kafka.create_topic(unique(f"savepoint-{kind}"), 4) for kind in ("in", "out")]
    made = Place(kafka, tmp_path, *topics)
    made.fill(0)
    return made


@contextmanager
def running(p: rs.Pipeline, **options: Any) -> Iterator[tuple[LocalRuntime, Future[Outcome]]]:
    """A job without end in a thread, once it has read all that is there and committed it."""
    said = RunOptions(local=True, **options)
    job = prepare(p, said, p.settings.checkpoint_storage or "", 1)
    assert job is not None
    runtime = LocalRuntime(job)
    with ThreadPoolExecutor(1) as thread:
        end = thread.submit(runtime.run)
        try:
            yield runtime, end
        finally:
            runtime.loop.request_stop(StopKind.CANCEL)


def read_all(runtime: LocalRuntime, end: Future[Outcome], total: int) -> None:
    """Wait until it has read so many rows."""

    def there() -> bool:
        assert not end.done(), end.result()
        status = runtime.loop.status
        return status is not None and status.rows_read >= total

    until(there, 60, f"{total} rows read")


def stopped_with_savepoint(place: Place, p: rs.Pipeline, target: str = "") -> str:
    """Run on the first half of the input, stop with a savepoint, and add the second half."""
    with running(p) as (runtime, end):
        read_all(runtime, end, HALF)
        runtime.loop.request_stop(StopKind.STOP, target)
        outcome = end.result(60)
    assert outcome.kind == "stopped", outcome
    place.fill(HALF)
    return outcome.savepoint


def test_the_job_lives_on_under_another_name_without_the_storage_of_the_first(
    place: Place,
) -> None:
    kept = stopped_with_savepoint(place, place.pipeline(unique("first")), str(place.home / "kept"))
    assert kept == str(place.home / "kept")
    for storage in place.home.glob("first-*"):
        shutil.rmtree(storage)
    second = place.pipeline(unique("second"), parallelism=3)
    outcome = second.run(local=True, until="latest", from_savepoint=kept, claim=True)
    assert (outcome.rows_in, outcome.late) == (HALF, 0)
    place.check()
    assert not (place.home / "kept" / SAVEPOINT_KEY).exists()  # it was claimed


def test_a_running_job_is_kept_and_goes_on(place: Place) -> None:
    """Its output is whole; who starts from the savepoint gets every window that was open in it."""
    name = unique("job")
    p = place.pipeline(name)
    with running(p) as (runtime, end):
        read_all(runtime, end, HALF)
        kept = runtime.loop.request_savepoint().result(60)
        number = runtime.loop.request_checkpoint().result(60)
        assert kept.startswith(f"{place.home}/{name}/{name}/savepoints/")
        assert int(kept.rpartition("/")[2].partition("-")[0]) < number
        before = place.written(place.output)
        place.fill(HALF)
        read_all(runtime, end, 2 * HALF)
    assert end.result(60).kind == "cancelled"
    place.pipeline(name).run(local=True, until="latest")
    place.check()
    # the savepoint outlived the clean-up of the checkpoints after it, and holds what was open
    place.output = place.kafka.create_topic(unique("savepoint-again"), 3)
    p = place.pipeline(unique("other"))
    assert p.run(local=True, until="latest", from_savepoint=kept).rows_in == HALF
    everything = before + place.written(place.output)
    comparison = compare(place.answer(), everything, KEYS)
    assert comparison.same, report(comparison)


def test_a_step_that_is_new_begins_empty_and_one_that_is_gone_is_said(
    place: Place, capsys: pytest.CaptureFixture[str]
) -> None:
    name = unique("job")
    kept = stopped_with_savepoint(place, place.pipeline(name))
    renamed = place.pipeline(name, counts="count")
    with pytest.raises(ConfigurationError) as refused:
        renamed.run(local=True, until="latest", from_savepoint=kept)
    assert refused.value.exit_code == 2
    assert "holds state of step 'counts', which the job no longer has" in str(refused.value)
    assert "did you mean 'count'?" in str(refused.value)
    assert "--allow-non-restored-state" in str(refused.value)

    extra = place.kafka.create_topic(unique("savepoint-bytes"), 3)
    wider = place.pipeline(name, extra=extra)
    assert wider.run(local=True, until="latest", from_savepoint=kept).rows_in == HALF
    place.check()
    assert sum(row["sum"] for row in place.written(extra)) == rows(HALF, first=HALF)["bytes"].sum()

    place.output = place.kafka.create_topic(unique("savepoint-renamed"), 3)
    renamed = place.pipeline(name, counts="count")
    capsys.readouterr()
    options: dict[str, Any] = {"from_savepoint": kept, "allow_non_restored_state": True}
    assert renamed.run(local=True, until="latest", **options).rows_in == HALF
    told = capsys.readouterr().err
    assert "warning: the state of step 'counts' is given up" in told
    assert "is written again" in told
    assert sum(row["count"] for row in place.written(place.output)) == HALF
    assert open_store(kept).get(SAVEPOINT_KEY) is not None


def test_what_can_not_be_started_from_is_refused(place: Place, tmp_path: Path) -> None:
    p = place.pipeline(unique("job"))
    for options, said in (
        ({"from_savepoint": str(tmp_path / "nothing")}, "there is no savepoint"),
        ({"from_savepoint": str(tmp_path)}, "there is no savepoint"),
        ({"from_savepoint": "x", "from_scratch": True}, "either from scratch or from a savepoint"),
        ({"claim": True}, "there is no savepoint to claim"),
    ):
        with pytest.raises(ConfigurationError, match=said):
            p.run(local=True, until="latest", **options)
    assert not (tmp_path / "nothing").exists()
