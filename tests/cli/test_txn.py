"""Transactions of jobs that died: listed with what checkpoints say, aborted only where safe."""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from confluent_kafka import Producer

from raystream.checkpoint.protocol.recover import claim_attempt, seal_log
from raystream.cli.app import main
from raystream.exit_codes import ExitCode
from raystream.runtime.procedures import run_procedure
from raystream.runtime.system_clock import SystemClock
from raystream.storage.open import job_store, store_id
from tests.conftest import unique
from tests.e2e.harness import JOBS, Input, Job
from tests.support import generator
from tests.support.broker import Broker
from tests.support.chaos import until
from tests.support.topics import produce

NAMED = "create manifest done@coordinator:1"
"""Here the manifest is durable and nothing is committed."""

NOT_NAMED = "create manifest@coordinator:1"
"""Here every transaction is pre-committed and no manifest names one."""


@pytest.fixture(autouse=True)
def _no_ray(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("RAYSTREAM_CHECKPOINT_STORAGE", raising=False)
    monkeypatch.setattr("raystream.runtime.ray.remote_job.RemoteJob.find", lambda *_: None)


@pytest.fixture(scope="module")
def requests(kafka: Broker) -> Input:
    topic = kafka.create_topic(unique("txn-requests"), 4)
    rows = generator.requests(6000, keys=50, per_second=20)
    produce(kafka.bootstrap, topic, [rows])
    return Input(kafka.bootstrap, topic)


@dataclass
class Cli:
    """The command line, with where to look already said."""

    job: Job
    capsys: pytest.CaptureFixture[str]

    def __call__(self, *arguments: str) -> tuple[int, str, str]:
        with pytest.raises(SystemExit) as ended:
            main(["txn", *arguments])
        said = self.capsys.readouterr()
        return int(ended.value.code or 0), said.out, said.err

    @property
    def file(self) -> tuple[str, str]:
        return ("--file", f"{JOBS / self.job.file}:p")

    @property
    def here(self) -> tuple[str, ...]:
        return (*self.brokers, "--checkpoint-storage", str(self.job.storage))

    @property
    def brokers(self) -> tuple[str, str]:
        return ("--bootstrap-servers", self.job.bootstrap)

    def mine(self, *arguments: str) -> list[dict[str, Any]]:
        code, out, err = self("list", *self.here, "--json", *arguments)
        assert (code, err) == (0, "")
        found: list[dict[str, Any]] = json.loads(out)["transactions"]
        return [one for one in found if one["job"] == self.job.name]


@pytest.fixture
def left_by(
    kafka: Broker,
    requests: Input,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> Callable[[str], Cli]:
    """A job that was killed at a point, and the command line to look at it."""

    def make(point: str) -> Cli:
        output = kafka.create_topic(unique("txn-counts"), 2)
        job = Job(kafka.bootstrap, requests.topic, output, unique("job"), tmp_path)
        # its only checkpoint is the last one, so that there is something in it
        with job.start(point, E2E_INTERVAL="60s", E2E_TIMEOUT="120s") as process:
            job.reached(process, point)
            process.wait(30)
        for name, value in (
            ("RAYSTREAM_BOOTSTRAP_SERVERS", job.bootstrap),
            ("E2E_INPUT", job.input),
            ("E2E_OUTPUT", job.output),
            ("E2E_JOB", job.name),
            ("E2E_STORAGE", str(job.storage)),
        ):
            monkeypatch.setenv(name, value)
        return Cli(job, capsys)

    return make


def test_what_a_checkpoint_names_is_refused_and_then_committed(
    left_by: Callable[[str], Cli], requests: Input
) -> None:
    cli = left_by(NAMED)
    (one,) = cli.mine()
    assert (one["state"], one["attempt"], one["named_by"]["checkpoint"]) == ("Ongoing", 0, 1)
    assert one["named_by"]["records"] > 0
    tid = one["transactional_id"]

    code, out, _ = cli("describe", tid, *cli.file, "--json")
    described = json.loads(out)
    assert (code, described["fate"]) == (
        0,
        f"named by checkpoint 1 (slot {one['named_by']['slot']})",
    )
    code, out, _ = cli("list", *cli.file)
    (row,) = [line for line in out.splitlines() if line.startswith(tid)]
    assert "named by checkpoint 1" in row

    for said in ((tid, *cli.file), ("--job", cli.job.name, *cli.here, "--not-running")):
        code, out, err = cli("abort", *said)
        assert (code, out) == (2, "")
        assert err == (
            f"{tid}: checkpoint 1 (slot {one['named_by']['slot']} in {cli.job.storage}/"
            f"{cli.job.name}) names it: to abort it would lose {one['named_by']['records']} records"
            f" for {', '.join(one['partitions'])}; start the job again: it commits it\n"
        )
    cli.job.finish()
    cli.job.check(requests.answer())
    assert cli.mine() == []
    assert {seen["fate"] for seen in cli.mine("--all")} == {"ended"}


def test_what_no_checkpoint_names_goes_once_the_log_is_sealed(
    left_by: Callable[[str], Cli], requests: Input
) -> None:
    cli = left_by(NOT_NAMED)
    found = cli.mine()
    assert {(one["fate"], one["named_by"]) for one in found} == {("of the newest attempt", None)}
    tids = sorted(one["transactional_id"] for one in found)
    tid = tids[0]

    code, _, err = cli("abort", tid, *cli.here)
    assert code == 2
    assert err.startswith(f"{tid}: it is of attempt 0, the newest of its job, which may be running")
    assert err.endswith("left and pass --not-running\n")
    code, _, err = cli("abort", tid, *cli.here, "--storage-is-gone", "--not-running")
    assert (code, "its checkpoint storage is there" in err) == (2, True)

    code, out, err = cli("abort", "--job", cli.job.name, *cli.here, "--not-running")
    assert (code, sorted(out.splitlines()), err) == (0, [f"{one}: aborted" for one in tids], "")
    assert cli.mine() == []
    code, out, _ = cli("abort", tid, *cli.here)
    assert (code, out) == (0, f"{tid}: is not open (Empty), nothing to do\n")
    cli.job.finish()
    cli.job.check(requests.answer())


def test_a_running_job_is_not_robbed(
    left_by: Callable[[str], Cli], monkeypatch: pytest.MonkeyPatch
) -> None:
    cli = left_by(NOT_NAMED)

    class Runs:
        def ask(self, question: str) -> None:
            assert question == "outcome"

    def find(job: str, address: str | None) -> Runs:
        assert (job, address) == (cli.job.name, "head:6379")
        return Runs()

    monkeypatch.setattr("raystream.runtime.ray.remote_job.RemoteJob.find", find)
    said = ("--job", cli.job.name, *cli.here, "--not-running", "--address", "head:6379")
    code, out, err = cli("abort", *said)
    assert (code, out) == (2, "")
    assert err.endswith("its job runs; stop it: that ends its transactions, too\n")
    assert cli.mine() != []


def test_a_wrong_word_ends_the_job_and_loses_nothing(
    kafka: Broker, requests: Input, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """It runs all the same: the sealed log supersedes it before anything of it is aborted."""
    output = kafka.create_topic(unique("txn-counts"), 2)
    job = Job(kafka.bootstrap, requests.topic, output, unique("job"), tmp_path)
    cli = Cli(job, capsys)

    def aborted() -> bool:
        code, out, err = cli("abort", "--job", job.name, *cli.here, "--not-running")
        assert code == 0 or "names it" in err or "is ending it" in err, err
        return code == 0 and ": aborted" in out

    with job.start("", (), E2E_RATE="1500", E2E_INTERVAL="1s") as process:
        until(aborted, 60, "an open transaction that no checkpoint names")
        assert process.wait(60) == ExitCode.SUPERSEDED, process.output()
    job.finish()
    job.check(requests.answer())


def test_without_its_storage_it_takes_a_word(left_by: Callable[[str], Cli]) -> None:
    cli = left_by(NOT_NAMED)
    one = cli.mine()[0]
    tid, away = one["transactional_id"], ("--checkpoint-storage", str(cli.job.home / "none"))
    shutil.rmtree(cli.job.storage)
    assert cli.mine()[0]["fate"] == "storage unknown"
    code, _, err = cli("abort", tid, *cli.brokers, *away)
    assert code == 2
    assert err == (
        f"{tid}: whether a checkpoint names it cannot be known: storage {one['store']} of its job"
        " is not here; name it with --checkpoint-storage or --file; if it was deleted pass"
        " --storage-is-gone\n"
    )
    assert not (cli.job.home / "none").exists()
    code, out, _ = cli("abort", tid, *cli.brokers, *away, "--storage-is-gone")
    assert (code, out) == (0, f"{tid}: aborted\n")


def open_transaction(bootstrap: str, tid: str, topic: str) -> Producer:
    producer = Producer({"bootstrap.servers": bootstrap, "transactional.id": tid})
    producer.init_transactions(30)
    producer.begin_transaction()
    producer.produce(topic, b"x")
    assert producer.flush(30) == 0
    return producer


def test_a_stray_of_a_dead_attempt_just_goes(
    kafka: Broker, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    job = Job(kafka.bootstrap, "", kafka.create_topic(unique("txn"), 1), unique("job"), tmp_path)
    store = job_store(str(job.storage), job.name)
    for nonce in ("a", "b"):
        owner = run_procedure(claim_attempt(nonce), store, {}, SystemClock())
        run_procedure(seal_log(owner), store, {}, SystemClock())
    tid = f"{job.name}.{store_id(store)}.0.write.0.0"
    producer = open_transaction(kafka.bootstrap, tid, job.output)
    cli = Cli(job, capsys)
    assert [one["fate"] for one in cli.mine()] == ["stray of a dead attempt"]
    before = store.list("")
    assert cli("abort", tid, *cli.here) == (0, f"{tid}: aborted\n", "")
    assert store.list("") == before
    del producer


def test_damaged_storage_is_no_storage_that_is_gone(
    left_by: Callable[[str], Cli],
) -> None:
    cli = left_by(NAMED)
    (slot,) = (cli.job.storage / cli.job.name).glob("m-*1")
    content = slot.read_bytes()
    os.chmod(slot, 0o600)
    slot.write_bytes(content[:-20])
    one = cli.mine()[0]
    assert one["fate"] == "storage unknown"
    assert slot.name in one["storage_trouble"]
    code, _, err = cli("abort", one["transactional_id"], *cli.here, "--not-running")
    assert (code, "whether a checkpoint names it cannot be known" in err) == (2, True)
    assert err.endswith("make the storage readable\n")


def test_messages(kafka: Broker, capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    cli = Cli(Job(kafka.bootstrap, "", "", "none", tmp_path), capsys)
    file = tmp_path / "job.py"
    file.write_text(
        "import raystream as rs\np = rs.Pipeline('job')\np.read(rs.Rows([{'n': 1}]))"
        ".write(rs.Collect())\n"
    )
    for arguments, message in (
        (("list",), "no brokers given: name a pipeline, --bootstrap-servers or"),
        (("abort", *cli.here), "name them: TRANSACTIONAL_ID, --job NAME or --hanging"),
        (("list", f"{file}:p", *cli.brokers), "--bootstrap-servers and a pipeline cannot be"),
        (("list", f"{file}:p"), "job writes to no Kafka topic: it has no transactions"),
        (("describe", "somebody", *cli.here), "somebody is not a transaction of raystream; see"),
        (
            ("describe", "a.00000000.0.w.0.0", *cli.here),
            "the brokers know no transaction a.00000000.0.w.0.0, or may not tell; see",
        ),
        (("list", "--bootstrap-servers", "127.0.0.1:1"), "nothing listens on port 1 of 127.0.0.1"),
        (("list", "--bootstrap-servers", "kafka"), "'kafka' is not host:port; for example"),
    ):
        code, out, err = cli(*arguments)
        assert (code != 0, out) == (True, ""), arguments
        assert message in err, (arguments, err)
