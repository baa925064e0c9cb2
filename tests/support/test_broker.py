"""The test broker itself: real starts, kills, restarts, logins, and no process left behind."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from confluent_kafka import Consumer, KafkaError, Producer

from tests.support.broker import Broker, BrokerError
from tests.support.broker import jars as jars_module
from tests.support.broker.process import ProcessMark, mark_of


def send(broker: Broker, topic: str, values: list[bytes], **settings: str) -> list[int | None]:
    """Produces the values; the error code of each delivery, None where it arrived."""
    outcomes: list[int | None] = []
    producer = Producer(
        {"bootstrap.servers": broker.bootstrap, "message.timeout.ms": 20_000, "log_level": 0}
        | broker.security
        | settings
    )
    for value in values:
        producer.produce(
            topic,
            value,
            on_delivery=lambda error, _: outcomes.append(error.code() if error else None),
        )
    producer.flush(25)
    return outcomes


def read(broker: Broker, topic: str, count: int) -> list[bytes | None]:
    """The first records of a topic, as the user `admin` where there are users."""
    consumer = Consumer(
        {
            "bootstrap.servers": broker.bootstrap,
            "group.id": "reader",
            "auto.offset.reset": "earliest",
            "log_level": 0,
        }
        | broker.security_of("admin")
    )
    consumer.subscribe([topic])
    messages = consumer.consume(count, timeout=30)
    consumer.close()
    return [message.value() for message in messages]


def eventually(true: Callable[[], bool], timeout_s: float = 10) -> bool:
    deadline = time.monotonic() + timeout_s
    while not true() and time.monotonic() < deadline:
        time.sleep(0.02)
    return true()


def python_process(mark: ProcessMark | None) -> ProcessMark:
    assert mark is not None
    return mark


@pytest.fixture(scope="module")
def secure() -> Iterator[Broker]:
    with Broker.start(secure=True) as broker:
        yield broker


def test_killed_broker_comes_back_on_its_port_with_its_data() -> None:
    with Broker.start() as broker:
        broker.create_topic("orders", partitions=2)
        assert send(broker, "orders", [b"before"]) == [None]
        address, first = broker.bootstrap, broker.nodes[0].pid
        broker.kill(0)
        assert mark_of(first) is None
        broker.restart(0)
        assert broker.bootstrap == address
        assert broker.nodes[0].pid != first
        assert send(broker, "orders", [b"after"]) == [None]
        assert sorted(filter(None, read(broker, "orders", 2))) == [b"after", b"before"]
        folder, second = broker.directory, broker.nodes[0].pid
    assert mark_of(second) is None
    assert not folder.exists()


def test_frozen_broker_answers_again_when_thawed() -> None:
    with Broker.start() as broker:
        broker.create_topic("orders")
        broker.freeze(0)
        assert send(broker, "orders", [b"x"], **{"message.timeout.ms": "1000"}) == [
            KafkaError._MSG_TIMED_OUT
        ]
        broker.thaw(0)
        assert send(broker, "orders", [b"y"]) == [None]


def test_three_nodes_go_on_without_one() -> None:
    with Broker.start(nodes=3) as broker:
        broker.create_topic("orders", partitions=3)
        broker.kill(1)
        assert send(broker, "orders", [b"a", b"b", b"c"]) == [None] * 3
        broker.restart(1)
        assert all(node.alive() for node in broker.nodes)


def test_job_user_may_do_what_it_was_allowed_and_no_more(secure: Broker) -> None:
    secure.create_topic("mine")
    secure.create_topic("theirs")
    secure.allow("job", write=["mine"], prefix="job-1")
    assert eventually(lambda: send(secure, "mine", [b"a"]) == [None])
    assert send(secure, "theirs", [b"a"]) == [KafkaError.TOPIC_AUTHORIZATION_FAILED]
    assert read(secure, "mine", 1) == [b"a"]


def test_wrong_password_is_refused(secure: Broker) -> None:
    wrong = {"sasl.password": "wrong", "message.timeout.ms": "2000"}
    assert send(secure, "mine", [b"a"], **wrong) == [KafkaError._MSG_TIMED_OUT]


def test_plan_shows_no_password(secure: Broker) -> None:
    password = secure.security["sasl.password"]
    assert len(password) > 8
    assert password not in repr(secure._plan)


def test_broker_ends_with_the_process_that_started_it() -> None:
    program = (
        "import time; from tests.support.broker import Broker; b = Broker.start();"
        "print(b.nodes[0].pid, b.directory, flush=True); time.sleep(600)"
    )
    parent = subprocess.Popen([sys.executable, "-c", program], stdout=subprocess.PIPE, text=True)
    assert parent.stdout is not None
    with parent.stdout as output:
        pid, folder = output.readline().split()
        broker = python_process(mark_of(int(pid)))
        parent.kill()
        parent.wait()
    assert eventually(lambda: not broker.alive())
    assert eventually(lambda: not Path(folder).exists())


def test_command_starts_shows_and_stops_a_broker_that_outlives_it(tmp_path: Path) -> None:
    folder = tmp_path / "kafka"

    def command(name: str) -> subprocess.CompletedProcess[str]:
        arguments = [sys.executable, "-m", "tests.support.broker", name, "--dir", str(folder)]
        return subprocess.run(arguments, capture_output=True, text=True, check=False)

    address = command("start").stdout.strip()
    try:
        assert command("start").stdout.strip() == address  # a second start finds the first
        assert f"{address} running as process" in command("status").stdout
        Broker.attach(address).create_topic("orders")
        assert command("stop").returncode == 0
        stopped = command("status")
        assert (stopped.returncode, "stopped" in stopped.stdout) == (1, True)
        assert command("start").stdout.strip() == address  # data and port stay
        with pytest.raises(BrokerError, match="orders"):
            Broker.attach(address).create_topic("orders")
        assert command("stop").returncode == 0
    finally:
        command("stop")


def test_other_shape_in_the_same_folder_is_refused(tmp_path: Path) -> None:
    with Broker.start(directory=tmp_path) as broker:
        broker.stop()
        with pytest.raises(BrokerError, match="a plain cluster of 1 nodes lives there already"):
            Broker.start(nodes=3, directory=tmp_path)


def test_bad_property_shows_the_last_lines_of_the_broker() -> None:
    with pytest.raises(BrokerError, match=r"num\.io\.threads"):
        Broker.start(properties={"num.io.threads": "none"})


def test_attached_broker_is_not_ours_to_break(kafka: Broker) -> None:
    attached = Broker.attach(kafka.bootstrap)
    with pytest.raises(BrokerError, match="not started here"):
        _ = attached.directory
    assert attached.nodes == ()


def test_stale_mark_of_another_process_is_not_signalled() -> None:
    me = python_process(mark_of(os.getpid()))
    reused = ProcessMark(me.pid, started="1")
    assert me.alive()
    assert not reused.send(signal.SIGKILL)


def test_missing_maven_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(BrokerError, match="no mvn found; install Maven"):
        jars_module.kafka_jars()
