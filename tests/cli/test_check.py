"""`raystream check` says, a line each, what keeps a job from running here, and changes nothing."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest
from confluent_kafka import Producer

from raystream.cli.app import main
from raystream.connectors.kafka.inspection import KafkaPythonInspection
from raystream.connectors.kafka.settings import from_librdkafka
from raystream.storage.base import Put
from raystream.storage.memory import MemoryStore
from tests.conftest import unique
from tests.support.broker import Broker

NOW_MS = 1_700_000_000_000


@pytest.fixture(autouse=True)
def _clean(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("RAYSTREAM_CHECKPOINT_STORAGE", "RAYSTREAM_BOOTSTRAP_SERVERS"):
        monkeypatch.delenv(name, raising=False)


@pytest.fixture(scope="module")
def secured() -> Iterator[Broker]:
    with Broker.start(secure=True) as broker:
        yield broker


class Checked:
    """One run of the verb: its exit code and its lines without those about storage."""

    def __init__(self, code: int, out: str, err: str) -> None:
        self.code = code
        self.out = out
        self.err = err
        self.storage = [line for line in out.splitlines() if "checkpoint storage" in line]
        self.lines = [line for line in out.splitlines() if "checkpoint storage" not in line]


class Check:
    """Writes a pipeline file and checks it."""

    def __init__(self, home: Path, capsys: pytest.CaptureFixture[str]) -> None:
        self._home = home
        self._capsys = capsys
        self.verb = ["check"]

    def __call__(
        self,
        broker: str,
        source: str,
        sink: str,
        *arguments: str,
        name: str = "job",
        security: Mapping[str, Any] | None = None,
        pipeline: str = "",
        topic: str = "",
        read: str = 'event_time="ts"',
    ) -> Checked:
        options = "".join(f", {n}={v!r}" for n, v in (security or {}).items())
        return self.file(
            "import raystream as rs\n"
            f"p = rs.Pipeline({name!r}, checkpoint_storage={str(self._home / 'ck')!r}{pipeline})\n"
            f"kafka = rs.Kafka({broker!r}{options})\n"
            f"(p.read(kafka.topic({source!r}), {read})\n"
            '  .key_by("ip").window(rs.tumbling("1m")).agg(count=rs.count())\n'
            f"  .write(kafka.topic({sink!r}{topic})))\n",
            *arguments,
        )

    def file(self, content: str, *arguments: str) -> Checked:
        path = self._home / f"{unique('job')}.py"
        path.write_text(content)
        with pytest.raises(SystemExit) as ended:
            main([*self.verb, f"{path}:p", *arguments])
        said = self._capsys.readouterr()
        return Checked(int(ended.value.code or 0), said.out, said.err)


@pytest.fixture
def check(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> Check:
    return Check(tmp_path, capsys)


def write(broker: Broker, topic: str, *rows: Any) -> None:
    producer = Producer({"bootstrap.servers": broker.bootstrap, **broker.security_of("admin")})
    for row in rows:
        producer.produce(topic, row if isinstance(row, bytes) else json.dumps(row).encode())
    assert producer.flush(30) == 0


def row(number: int) -> dict[str, Any]:
    return {"ts": NOW_MS + number, "ip": f"10.0.0.{number}"}


def options_of(broker: Broker) -> dict[str, str]:
    given = broker.security
    return {
        "security_protocol": given["security.protocol"],
        "sasl_mechanism": given["sasl.mechanism"],
        "sasl_username": given["sasl.username"],
        "sasl_password": given["sasl.password"],
        "ssl_ca_location": given["ssl.ca.location"],
    }


# -- rights --------------------------------------------------------------------------------------


def test_a_user_without_rights_is_told_each_one(secured: Broker, check: Check) -> None:
    job = unique("job")
    source = secured.create_topic(unique("in"), 2)
    sink = secured.create_topic(unique("out"), 1)
    found = check(secured.bootstrap, source, sink, name=job, security=options_of(secured))
    assert found.code == 2
    assert found.lines == [
        f"ok       brokers {secured.bootstrap}: 1 broker, Kafka 4.3 or newer, logged in",
        f"error    topic {source}: no right to see it, or it does not exist;"
        f" allow READ on Topic {source}",
        f"error    group {job}: no right to use it, and without nothing can be read;"
        f" allow READ on Group {job}",
        f"error    topic {sink}: no right to see it, or it does not exist;"
        f" allow WRITE on Topic {sink}",
        f"error    transactional ids {job}.*: no right to use them;"
        f" allow WRITE on TransactionalId {job}, prefixed",
        f"ok       transactions to {sink}: open for at most 900 s (the brokers do not tell their"
        " limit), checkpoints every 10 s",
    ]
    secured.allow(write=[source, sink])
    found = check(secured.bootstrap, source, sink, name=job, security=options_of(secured))
    assert (
        f"warning  topic {sink}: no right to read it: a commit that a broker forgot to show"
        f" (KAFKA-20734) is not seen; allow READ on Topic {sink}"
    ) in found.lines
    other = secured.create_topic(unique("out"), 1)
    secured.allow(read=[other])
    found = check(secured.bootstrap, source, sink, name=job, security=options_of(secured))
    assert f"error    topic {source}: no right to read it; allow READ on Topic {source}" in (
        found.lines
    )
    found = check(secured.bootstrap, source, other, name=job, security=options_of(secured))
    assert f"error    topic {other}: no right to write to it; allow WRITE on Topic {other}" in (
        found.lines
    )


def test_the_least_rights_are_enough_and_nothing_changes(secured: Broker, check: Check) -> None:
    job = unique("job")
    source = secured.create_topic(unique("in"), 2)
    sink = secured.create_topic(unique("out"), 1)
    write(secured, source, *map(row, range(10)))
    secured.allow(read=[source, sink], write=[sink], prefix=job)
    admin = KafkaPythonInspection(
        from_librdkafka({"bootstrap.servers": secured.bootstrap, **secured.security_of("admin")})
    )
    before = made_by_users(admin)
    found = check(secured.bootstrap, source, sink, name=job, security=options_of(secured))
    assert (found.code, found.err) == (0, "")
    assert [line.split()[0] for line in found.lines] == ["ok"] * len(found.lines)
    assert f"ok       kafka topic {source}: 10 records checked, all fit" in found.lines
    assert made_by_users(admin) == before
    admin.close()


def made_by_users(admin: KafkaPythonInspection) -> tuple[list[str], list[str]]:
    topics = [name for name in admin.topics(None) if not name.startswith("__")]
    return sorted(topics), admin.transaction_ids()


def test_who_is_not_let_in_is_told_why(secured: Broker, check: Check, tmp_path: Path) -> None:
    other = tmp_path / "other.pem"
    _new_authority(other)
    right = options_of(secured)
    for security, message in (
        ({**right, "sasl_password": "canary-5c1d"}, "the brokers refuse the user or the password"),
        ({**right, "ssl_ca_location": str(other)}, "the certificate of the brokers is not trusted"),
        ({}, "the port is open, but no broker answers as PLAINTEXT"),
    ):
        found = check(secured.bootstrap, "a", "b", security=security)
        assert found.code == 2
        (line,) = found.lines
        assert line.startswith(f"error    brokers {secured.bootstrap}: {message}")
        assert "canary" not in line
        assert len(found.storage) == 1


def _new_authority(path: Path) -> None:
    import subprocess

    names = ("-subj", "/CN=somebody", "-keyout", str(path.with_suffix(".key")), "-out", str(path))
    subprocess.run(
        ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "1", *names],
        check=True,
        capture_output=True,
    )


@pytest.mark.parametrize(
    ("address", "message"),
    [
        ("127.0.0.1:1", "nothing listens on port 1 of 127.0.0.1; check the port; do the brokers"),
        ("no-such-host.invalid:9092", "there is no host called 'no-such-host.invalid'; check the"),
        ("kafka", "'kafka' is not host:port; for example kafka:9092"),
    ],
)
def test_an_address_where_nobody_is(address: str, message: str, check: Check) -> None:
    found = check(address, "a", "b")
    assert found.code == 2
    (line,) = found.lines
    assert line.startswith(f"error    brokers {address}: {message}")


# -- the same at the start of a run --------------------------------------------------------------


@pytest.fixture
def start(check: Check) -> Check:
    """`raystream run`, which asks what `check` asks before it starts."""
    check.verb = ["run", "--local", "--until", "latest"]
    return check


def refused(start: Check, *ends: str, **options: Any) -> str:
    """What `run` says, within a short time."""
    began = time.monotonic()
    ended = start(*ends, **options)
    assert ended.code == 2
    assert time.monotonic() - began < REFUSED_S
    assert "there is no topic" not in ended.err
    assert "_TRANSPORT" not in ended.err
    assert "canary" not in ended.err
    return ended.err


REFUSED_S = 6.0
"""About 1 s on a machine with nothing else to do; 30 s before."""


def test_a_run_without_rights_says_so_and_not_that_there_is_no_topic(
    secured: Broker, start: Check
) -> None:
    job, source, sink = unique("job"), secured.create_topic(unique("in"), 2), unique("out")
    secured.create_topic(sink, 1)
    said = refused(start, secured.bootstrap, source, sink, name=job, security=options_of(secured))
    for line in (
        f"topic {source}: no right to see it, or it does not exist; allow READ on Topic {source}",
        f"group {job}: no right to use it",
        f"topic {sink}: no right to see it, or it does not exist; allow WRITE on Topic {sink}",
        f"transactional ids {job}.*: no right to use them",
    ):
        assert line in said


def test_a_run_that_is_not_let_in_says_why(secured: Broker, start: Check, tmp_path: Path) -> None:
    right, nobody = options_of(secured), tmp_path / "other.pem"
    _new_authority(nobody)
    for security, message in (
        ({**right, "sasl_password": "canary-5c1d"}, "the brokers refuse the user or the password"),
        ({**right, "ssl_ca_location": str(nobody)}, "the certificate of the brokers is not"),
        ({}, "the port is open, but no broker answers as PLAINTEXT: it speaks TLS"),
    ):
        said = refused(start, secured.bootstrap, "a", "b", security=security)
        assert f"brokers {secured.bootstrap}: {message}" in said


@pytest.mark.parametrize(
    ("security", "message"),
    [
        ({}, "nothing listens on port 1 of 127.0.0.1"),
        ({"security_protocol": "SSL"}, "nothing listens on port 1 of 127.0.0.1"),
    ],
)
def test_a_run_against_a_closed_port(security: Any, message: str, start: Check) -> None:
    assert message in refused(start, "127.0.0.1:1", "a", "b", security=security)


def test_a_run_with_tls_against_plain_text(kafka: Broker, start: Check) -> None:
    said = refused(start, kafka.bootstrap, "a", "b", security={"security_protocol": "SSL"})
    assert f"brokers {kafka.bootstrap}: TLS fails: the port speaks no TLS" in said
    assert "is security_protocol SSL right for this port?" in said


# -- topics and limits ---------------------------------------------------------------------------


def test_topics_and_limits(kafka: Broker, check: Check) -> None:
    source = kafka.create_topic(unique("requests"), 1)
    sink = kafka.create_topic(
        unique("counts"), 1, {"min.insync.replicas": "2", "max.message.bytes": "1000"}
    )
    write(kafka, source, *map(row, range(3)))
    found = check(
        kafka.bootstrap,
        f"{source}x",
        sink,
        pipeline=', checkpoint_interval="40s"',
        topic=', transaction_timeout="1m"',
    )
    assert found.code == 2
    missing = f"error    topic {source}x: there is no such topic; did you mean '{source}'"
    assert found.lines[1].startswith(missing)
    assert found.lines[2:] == [
        "ok       group job: may be used",
        f"ok       topic {sink}: 1 partition, may be written",
        f"error    topic {sink}: min.insync.replicas is 2, but it has 1 replica: nothing can be"
        " written; lower it, or add replicas",
        f"warning  topic {sink}: it takes records of 1000 bytes, our producer sends up to 1000000;"
        " raise max.message.bytes, or lower message.max.bytes in producer_config",
        "ok       transactional ids job.*: may be used",
        f"error    transactions to {sink}: open for at most 60 s, which is less than twice"
        " checkpoint_interval (40 s); lower checkpoint_interval, or raise transaction_timeout",
    ]
    other = kafka.create_topic(unique("counts"), 1)
    found = check(kafka.bootstrap, source, other, topic=', transaction_timeout="1d"')
    assert (
        f"error    transactions to {other}: transaction_timeout 86400 s is above the brokers'"
        in ("\n".join(found.lines))
    )
    found = check(kafka.bootstrap, source, other, topic=', transaction_timeout="1m"')
    assert found.code == 0
    assert f"warning  transactions to {other}: open for at most 60 s; half of it is less than" in (
        "\n".join(found.lines)
    )
    found = check(kafka.bootstrap, source, other, pipeline=', delivery_guarantee="at_least_once"')
    assert (found.code, "transaction" in "\n".join(found.lines)) == (0, False)


def test_transactions_of_another_storage_are_told(kafka: Broker, check: Check) -> None:
    job, topic = unique("job"), kafka.create_topic(unique("t"), 1)
    write(kafka, topic, row(1))
    tid = f"{job}.0a1b2c3d.0.write.0.0"
    producer = Producer({"bootstrap.servers": kafka.bootstrap, "transactional.id": tid})
    producer.init_transactions(30)
    producer.begin_transaction()
    producer.produce(topic, b"x")
    assert producer.flush(30) == 0
    found = check(kafka.bootstrap, topic, topic, name=job)
    producer.abort_transaction(30)
    assert (
        f"warning  job {job}: 1 open transaction of a job of this name with other storage: {tid};"
        " is it run elsewhere, too? else see `raystream txn abort`"
    ) in found.lines


# -- records -------------------------------------------------------------------------------------


def test_records_that_do_not_fit(kafka: Broker, check: Check) -> None:
    topic, sink = kafka.create_topic(unique("t"), 1), kafka.create_topic(unique("out"), 1)
    write(kafka, topic, *map(row, range(300)), b"no json", {"ip": "a"})
    found = check(kafka.bootstrap, topic, sink)
    unfit = f"kafka topic {topic}: 2 of 200 records looked at do not fit; the first is topic"
    assert found.code == 2
    (line,) = [line for line in found.lines if "looked at" in line]
    assert line.startswith(f"error    {unfit} {topic}, partition 0, offset 300: ")
    assert line.endswith("the job would stop there: correct them, or read with errors=")
    found = check(kafka.bootstrap, topic, sink, read='event_time="ts", errors="skip"')
    assert found.code == 0
    (line,) = [line for line in found.lines if "looked at" in line]
    assert line.startswith(f"warning  {unfit}")
    assert line.endswith("they would be left out")


@pytest.mark.parametrize(
    ("rows", "read", "message"),
    [
        (
            [{"ts": 1_700_000_000, "ip": "a"}],
            "",
            "before 1990, from 1970-01-20 16:13:20 UTC to 1970-01-20 16:13:20 UTC; these look like "
            "seconds: write event_time_unit='s'",
        ),
        (
            [{"ts": 4_000_000_000_000, "ip": "a"}],
            "",
            "in the future, from 2096-10-02 07:06:40 UTC to 2096-10-02 07:06:40 UTC; see "
            "event_time_unit, and max_future of",
        ),
        ([{"time": 1, "ip": "a"}], "", "error    columns: "),
        ([], "", "no record yet: what columns it has is not known; write schema="),
        ([{"ts": "x", "ip": "a"}], ', schema={"ts": int, "ip": str}', "1 of 1 records looked at"),
    ],
)
def test_what_records_tell(
    rows: list[dict[str, Any]], read: str, message: str, kafka: Broker, check: Check
) -> None:
    topic, sink = kafka.create_topic(unique("t"), 1), kafka.create_topic(unique("out"), 1)
    write(kafka, topic, *rows)
    found = check(kafka.bootstrap, topic, sink, read=f'event_time="ts"{read}')
    assert message in "\n".join(found.lines)


# -- storage, other ends -------------------------------------------------------------------------

FILES = """
import raystream as rs
p = rs.Pipeline("job", checkpoint_storage={storage!r})
p.read(rs.Files({path!r}), event_time="ts").write(rs.Files({out!r}))
"""


def test_files_and_storage(check: Check, tmp_path: Path) -> None:
    (tmp_path / "in").mkdir()
    (tmp_path / "in" / "a.jsonl").write_text(json.dumps(row(1)) + "\n")
    (tmp_path / "file").write_text("")
    said = {"path": str(tmp_path / "in"), "out": str(tmp_path / "out" / "deep")}
    before = sorted(tmp_path.rglob("*"))
    found = check.file(FILES.format(storage=str(tmp_path / "new" / "ck"), **said))
    assert (found.code, found.err) == (0, "")
    assert found.lines[:2] == [
        f"ok       files {tmp_path}/in: 1 split, can be read",
        f"ok       files {tmp_path}/out/deep: can be written",
    ]
    assert found.storage == [
        f"ok       checkpoint storage {tmp_path}/new/ck: can be written, creates objects only once"
        " (a directory: for more than one node it must be shared)"
    ]
    assert [path for path in sorted(tmp_path.rglob("*")) if path.suffix != ".py"] == before
    said["path"] = str(tmp_path / "none")
    found = check.file(FILES.format(storage=str(tmp_path / "file" / "ck"), **said))
    assert found.code == 2
    assert found.lines[0].startswith(f"error    files {tmp_path}/none: no such file or directory")
    assert found.storage[0].startswith(f"error    checkpoint storage {tmp_path}/file/ck: ")


def test_storage_that_overwrites_is_an_error(
    check: Check, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Overwrites(MemoryStore):
        def create(self, key: str, data: bytes) -> Put:
            self.delete([key])
            return super().create(key, data)

    monkeypatch.setattr("raystream.storage.probe.open_store", Overwrites)
    said = {"path": str(tmp_path / "in"), "out": str(tmp_path / "out")}
    found = check.file(FILES.format(storage="s3://bucket/ck", **said))
    assert found.code == 2
    assert found.storage == [
        "error    checkpoint storage s3://bucket/ck: it overwrites an object that exists: two runs"
        " of a job could not be told apart; use a storage that honours conditional writes"
        " (If-None-Match)"
    ]


def test_json_is_one_document(check: Check, kafka: Broker) -> None:
    topic = kafka.create_topic(unique("t"), 1)
    found = check(kafka.bootstrap, topic, f"{topic}-no", "--json")
    document = json.loads(found.out)
    assert (found.code, document["pipeline"], document["errors"]) == (2, "job", 1)
    assert {one["level"] for one in document["findings"]} >= {"ok", "error"}
    assert all(set(one) == {"level", "about", "said", "what_to_do"} for one in document["findings"])
