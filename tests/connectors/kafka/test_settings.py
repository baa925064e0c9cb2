"""One security map for both client libraries; secrets are resolved late and never shown."""

from __future__ import annotations

import logging
import pickle

import pytest

from raystream.connectors.kafka.clients import ClientError
from raystream.connectors.kafka.connection import Kafka
from raystream.connectors.kafka.settings import Settings
from raystream.errors import ConfigurationError, RaystreamError

CANARY = "canary-7f3a91"
SCRAM = {
    "security_protocol": "SASL_SSL",
    "sasl_mechanism": "SCRAM-SHA-512",
    "sasl_username": "app",
    "sasl_password": CANARY,
    "ssl_ca_location": "ca.pem",
}


@pytest.fixture(autouse=True)
def _no_override(monkeypatch):
    monkeypatch.delenv("RAYSTREAM_BOOTSTRAP_SERVERS", raising=False)


def test_one_map_serves_both_libraries():
    settings = Settings("a:1,b:2", {**SCRAM, "ssl_check_hostname": False})
    assert settings.for_librdkafka() == {
        "bootstrap.servers": "a:1,b:2",
        "security.protocol": "SASL_SSL",
        "sasl.mechanism": "SCRAM-SHA-512",
        "sasl.username": "app",
        "sasl.password": CANARY,
        "ssl.ca.location": "ca.pem",
        "ssl.endpoint.identification.algorithm": "none",
    }
    assert settings.for_kafka_python() == {
        "bootstrap_servers": ["a:1", "b:2"],
        "security_protocol": "SASL_SSL",
        "sasl_mechanism": "SCRAM-SHA-512",
        "sasl_plain_username": "app",
        "sasl_plain_password": CANARY,
        "ssl_cafile": "ca.pem",
        "ssl_check_hostname": False,
    }


def test_both_libraries_know_every_mapped_name():
    from confluent_kafka import KafkaException, Producer
    from kafka.admin import KafkaAdminClient

    from raystream.connectors.kafka.settings import SECURITY

    assert {one.kafka_python for one in SECURITY.values()} <= set(KafkaAdminClient.DEFAULT_CONFIG)
    for one in SECURITY.values():
        with pytest.raises(KafkaException) as caught:
            Producer({one.librdkafka: "", "no.such.property": "x"})
        assert one.librdkafka not in str(caught.value) or "No such" not in str(caught.value)


def test_references_are_resolved_only_when_a_client_is_made(tmp_path, monkeypatch):
    file = tmp_path / "password"
    file.write_text("from-file\n")
    kafka = Kafka("a:1", **{**SCRAM, "sasl_password": f"file:{file}", "sasl_username": "env:WHO"})
    with pytest.raises(ConfigurationError) as caught:
        kafka.settings().for_librdkafka()
    assert "sasl_username: environment variable WHO is not set" in str(caught.value)
    monkeypatch.setenv("WHO", "app")
    made = kafka.settings().for_librdkafka()
    assert (made["sasl.username"], made["sasl.password"]) == ("app", "from-file")
    file.unlink()
    with pytest.raises(ConfigurationError, match="sasl_password: file .* cannot be read"):
        kafka.settings().for_kafka_python()


def test_no_secret_in_any_repr_or_pickle_of_a_reference():
    kafka = Kafka(
        "a:1",
        **SCRAM,
        producer_config={"sasl.oauthbearer.client.secret": CANARY},
        consumer_config={"ssl.keystore.password": CANARY},
    )
    topic = kafka.topic("t")
    texts = [
        repr(kafka),
        repr(topic),
        str(topic),
        repr(kafka.settings()),
        topic.describe(),
        repr(kafka.settings().for_kafka_python()),
    ]
    assert all(CANARY not in text for text in texts)
    assert "'***'" in repr(kafka)
    referenced = Kafka("a:1", **{**SCRAM, "sasl_password": "env:KAFKA_PASSWORD"})
    assert "sasl_password='env:KAFKA_PASSWORD'" in repr(referenced)
    assert pickle.loads(pickle.dumps(referenced.topic("t"))).describe() == "kafka topic t"


def test_no_secret_in_logs_or_errors_of_the_clients(caplog, monkeypatch):
    from raystream.connectors.kafka import confluent, kafka_python

    monkeypatch.setattr(kafka_python, "_CONNECT_MS", 300)
    monkeypatch.setattr(confluent, "NETWORK_S", 0.5)
    caplog.set_level(logging.DEBUG)
    options = {**SCRAM, "security_protocol": "SASL_PLAINTEXT"}
    del options["ssl_ca_location"]
    kafka = Kafka("127.0.0.1:1", **options)
    with pytest.raises(ClientError) as one:
        kafka.transactions()
    with pytest.raises(RaystreamError) as two:
        kafka.topic("t").as_source().discover(bounded=True)
    assert CANARY not in caplog.text
    assert "sasl_plain_password" in caplog.text  # the library did log its configuration
    assert CANARY not in str(one.value) + str(two.value) + repr(two.value)


def test_errors_are_redacted():
    settings = Settings("a:1", SCRAM)
    assert settings.redact(f"login app/{CANARY} failed") == "login app/*** failed"


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"brokers": "x"}, "unknown option 'brokers'; did you mean 'bootstrap_servers'"),
        ({"sasl_pasword": "x"}, "unknown option 'sasl_pasword'; did you mean 'sasl_password'"),
        ({"password": "x"}, "did you mean 'sasl_password'"),
        ({"security_protocol": "TLS"}, "security_protocol 'TLS' is not supported by both"),
        (
            {"security_protocol": "SASL_SSL", "sasl_mechanism": "OAUTHBEARER"},
            "sasl_mechanism 'OAUTHBEARER' is not supported by both Kafka clients",
        ),
        ({"security_protocol": "SASL_SSL"}, "SASL_SSL needs a sasl_mechanism"),
        ({"sasl_mechanism": "PLAIN"}, "has no effect with security_protocol PLAINTEXT"),
        ({"producer_config": {"sasl.password": "x"}}, r"write rs.Kafka\(..., sasl_password=...\)"),
        ({"producer_config": {"transactional.id": "x"}}, "transactional.id is set by raystream"),
        ({"consumer_config": {"isolation.level": "x"}}, "isolation.level is set by raystream"),
    ],
)
def test_what_can_not_be_mapped_is_refused_at_once(options, message):
    with pytest.raises(ConfigurationError, match=message):
        Kafka("a:1", **options)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"offset": "x"}, "unknown option 'offset'; did you mean 'starting_offsets'"),
        ({"grup_id": "x"}, "did you mean 'group_id'"),
        ({"starting_offsets": "first"}, "starting_offsets 'first' is unknown; one of earliest"),
        ({"starting_offsets": {"time": 1}}, "write {'timestamp': 1700000000000}"),
        ({"starting_offsets": "committed"}, "needs the group that committed them; write group_id="),
        ({"metadata": ["ofset"]}, "unknown option 'ofset'; did you mean 'offset'"),
        ({"metadata": "key"}, r"takes a list of columns, not 'key'; write metadata=\['key'\]"),
        ({"discovery_interval": "0s"}, "discovery_interval must be more than 0"),
        ({"delivery_guarantee": "exactly-once"}, "'exactly-once' is unknown; one of exactly_once"),
        ({"format": "jsn"}, "no format 'jsn'"),
        ({"transaction_timeout": "10 minutes"}, "transaction_timeout: '10 minutes' is not a dur"),
    ],
)
def test_a_wrong_topic_option_names_the_nearest(options, message):
    with pytest.raises(ConfigurationError, match=message):
        Kafka("a:1").topic("t", **options)


def test_a_wrong_option_is_told_at_the_users_line():
    path = "jobs/counts.py"
    for code, message in (
        ("kafka.topic('t', grup_id='x')", "kafka.topic('t'): unknown option 'grup_id'"),
        ("kafka.topic('t', transaction_timeout='x')", "transaction_timeout: 'x' is not a duration"),
        ("kafka.topic([])", "kafka topics : no topic is named"),
        ("Kafka('a:1', brokers='b')", "rs.Kafka: unknown option 'brokers'"),
        ("Kafka('')", "rs.Kafka: bootstrap_servers is missing"),
    ):
        with pytest.raises(ConfigurationError) as caught:
            exec(  # noqa: S102 - the file of a user
                compile("\n\n" + code, path, "exec"), {"kafka": Kafka("a:1"), "Kafka": Kafka}
            )
        assert str(caught.value).startswith(f"{path}:3: {message}")


def test_the_environment_replaces_the_address_when_clients_are_made(monkeypatch):
    kafka = Kafka(["a:1", "b:2"])
    assert kafka.settings().for_librdkafka()["bootstrap.servers"] == "a:1,b:2"
    monkeypatch.setenv("RAYSTREAM_BOOTSTRAP_SERVERS", "c:3")
    assert kafka.settings().for_librdkafka()["bootstrap.servers"] == "c:3"
    assert kafka.settings().for_kafka_python()["bootstrap_servers"] == ["c:3"]


def test_pass_through_configuration_reaches_the_client_and_fixed_settings_stay():
    made = {}

    class Clients:
        def producer(self, config):
            made.update(config)

        def consumer(self, config):
            made.update(config)

    kafka = Kafka(
        "a:1",
        producer_config={"linger.ms": 1, "compression.type": "zstd"},
        consumer_config={"fetch.wait.max.ms": 5},
        clients=Clients(),
    )
    kafka.producer({"transactional.id": "x"})
    assert (made["linger.ms"], made["compression.type"]) == (1, "zstd")
    assert (made["partitioner"], made["enable.idempotence"]) == ("murmur2_random", True)
    made.clear()
    kafka.consumer("g")
    assert (made["fetch.wait.max.ms"], made["isolation.level"]) == (5, "read_committed")
    assert (made["auto.offset.reset"], made["enable.auto.commit"]) == ("error", False)
