"""The table of EndTxn answers, as the real broker gives them: the model is held to the same."""

from __future__ import annotations

import time

import pytest
from confluent_kafka import KafkaException

from raystream.connectors.base import AbortVerdict, Verdict
from raystream.connectors.kafka import admin as admin_module
from raystream.connectors.kafka import kafka_python
from raystream.connectors.kafka.answers import NAMES, abort_verdict, commit_verdict
from raystream.connectors.kafka.clients import NO_ANSWER, ClientError, Identity, Messages
from raystream.connectors.kafka.configs import transactional
from raystream.connectors.kafka.transaction import Transaction
from raystream.errors import ConfigurationError, RaystreamError

COMMIT, ABORT = True, False


class _Clock:
    def now(self):
        return time.monotonic()

    def wall_ms(self):
        return 0


@pytest.fixture(scope="module")
def admin(kafka):
    opened = admin_module.KafkaPythonTransactions({"bootstrap_servers": kafka.bootstrap.split(",")})
    yield opened
    opened.close()


def _open(bench, topic, tid, *, write=True, timeout_ms=60000):
    """An open transaction whose producer is then left alone, and its identity."""
    kafka = bench.kafka()
    transaction = Transaction(
        tid,
        topic,
        timeout_ms,
        producer=lambda: kafka.producer(transactional(tid, timeout_ms)),
        clock=_Clock(),
    ).open()
    if not write:
        return transaction, transaction._identity
    handle, _ = transaction.pre_commit([(Messages([b"x"]), 0)])
    return transaction, handle.identity


def _final(admin, identity, *, commit):
    """The answer, after CONCURRENT_TRANSACTIONS has passed."""
    deadline = time.monotonic() + 10
    while (code := admin.end([identity], commit=commit)[0]) == 51:
        assert time.monotonic() < deadline
        time.sleep(0.02)
    return code


def _changed(identity, *, pid=0, epoch=0):
    return Identity(identity.tid, identity.pid + pid, identity.epoch + epoch)


def test_open_transaction_answers_by_identity(bench, topic, admin):
    transaction, identity = _open(bench, topic, bench.job)
    described = admin.describe([identity.tid])[0]
    assert (described.state, described.pid, described.epoch) == (
        "Ongoing",
        identity.pid,
        identity.epoch,
    )
    assert identity.tid in admin.ongoing()
    assert _final(admin, _changed(identity, pid=1), commit=COMMIT) == 49
    assert _final(admin, _changed(identity, epoch=1), commit=COMMIT) == 90
    assert _final(admin, _changed(identity, epoch=-1), commit=COMMIT) == 90
    assert admin.describe([identity.tid])[0].state == "Ongoing"
    assert _final(admin, identity, commit=COMMIT) == 0
    transaction.retire()


def test_completed_commit_answers(bench, topic, admin):
    transaction, identity = _open(bench, topic, bench.job)
    transaction.retire()
    assert _final(admin, identity, commit=COMMIT) == 0
    assert _final(admin, identity, commit=COMMIT) == 0
    assert _final(admin, identity, commit=ABORT) == 48
    assert _final(admin, _changed(identity, epoch=1), commit=COMMIT) == 90
    assert bench.values(topic, 1) == [b"x"]


def test_completed_abort_answers(bench, topic, admin):
    transaction, identity = _open(bench, topic, bench.job)
    transaction.retire()
    assert _final(admin, identity, commit=ABORT) == 0
    assert _final(admin, identity, commit=ABORT) == 0
    assert _final(admin, identity, commit=COMMIT) == 48
    assert bench.values(topic) == []


def test_empty_and_unknown_answers(bench, topic, admin):
    transaction, identity = _open(bench, topic, bench.job, write=False)
    assert _final(admin, identity, commit=COMMIT) == 48
    assert _final(admin, identity, commit=ABORT) == 48
    assert _final(admin, Identity(bench.job + "-never", 1, 0), commit=COMMIT) == 49
    transaction.retire()


def test_initialising_the_id_again_fences_the_handle(bench, topic, admin):
    first, identity = _open(bench, topic, bench.job)
    second, again = _open(bench, topic, bench.job)
    assert again.epoch > identity.epoch
    assert _final(admin, identity, commit=COMMIT) == 90
    assert _final(admin, identity, commit=ABORT) == 90
    assert _final(admin, again, commit=COMMIT) == 0
    first.retire()
    second.retire()


def test_raw_fencing_aborts_what_is_open(bench, topic, admin):
    transaction, identity = _open(bench, topic, bench.job)
    deadline = time.monotonic() + 10
    while admin.fence([identity.tid]) != [0]:
        assert time.monotonic() < deadline
        time.sleep(0.02)
    assert _final(admin, identity, commit=COMMIT) == 90
    assert identity.tid not in admin.ongoing()
    transaction.retire()


def test_many_handles_in_one_call_keep_their_order(bench, topic, admin):
    opened = [_open(bench, topic, f"{bench.job}.{n}") for n in range(3)]
    identities = [identity for _, identity in opened]
    wrong = _changed(identities[1], epoch=1)
    codes = admin.end([identities[0], wrong, identities[2]], commit=COMMIT)
    assert codes == [0, 90, 0]
    assert _final(admin, identities[1], commit=ABORT) == 0
    for transaction, _ in opened:
        transaction.retire()


def test_end_txn_is_never_sent_in_version_five(bench, topic, admin, monkeypatch):
    """Version 5 bumps the epoch and wedges ids at transaction.version 0."""
    assert admin_module.END_TXN_MAX_VERSION == 4
    transaction, identity = _open(bench, topic, bench.job)
    sent = []
    request = admin_module.EndTxnRequest

    def recorded(**options):
        sent.append(request(**options))
        return sent[-1]

    monkeypatch.setattr(admin_module, "EndTxnRequest", recorded)
    assert _final(admin, identity, commit=COMMIT) == 0
    assert sent
    assert all(one.API_VERSION == 4 for one in sent)
    assert admin.describe([identity.tid])[0].epoch == identity.epoch
    transaction.retire()


def test_an_unreachable_cluster_is_no_answer_not_a_verdict(bench, topic, admin, monkeypatch):
    monkeypatch.setattr(kafka_python, "_CONNECT_MS", 300)
    with pytest.raises(ClientError):
        admin_module.KafkaPythonTransactions({"bootstrap_servers": ["127.0.0.1:1"]})
    assert commit_verdict(NO_ANSWER) is Verdict.AGAIN


def test_a_live_producer_survives_a_raw_commit_but_is_given_up(bench, topic, admin):
    transaction, identity = _open(bench, topic, bench.job)
    assert _final(admin, identity, commit=COMMIT) == 0
    transaction.retire()
    with pytest.raises(RuntimeError, match="was retired"):
        transaction.poll()


def test_a_timeout_above_the_limit_of_the_broker_says_so(bench, topic):
    with pytest.raises(ConfigurationError, match="allows no transaction timeout of 90000000 ms"):
        _open(bench, topic, bench.job, timeout_ms=90_000_000)
    sink = bench.kafka().topic(topic, transaction_timeout="25h").as_sink()
    with pytest.raises(ConfigurationError, match=r"above the broker's transaction.max.timeout.ms"):
        sink.check(bench.job, bench.STORE, "write")


def test_every_code_of_the_table_has_one_verdict():
    again = {NO_ANSWER, -1, 7, 13, 14, 15, 16}
    expected = {
        **dict.fromkeys(NAMES, Verdict.REFUSED),
        **dict.fromkeys(again, Verdict.AGAIN),
        **dict.fromkeys((47, 48, 90), Verdict.LOST),
        0: Verdict.COMMITTED,
        49: Verdict.UNKNOWN,
        51: Verdict.BUSY,
    }
    assert {code: commit_verdict(code) for code in NAMES} == expected
    assert commit_verdict(53) is Verdict.REFUSED
    assert {code for code in NAMES if abort_verdict(code) is AbortVerdict.ABORTED} == {0, 47, 90}
    assert {code for code in NAMES if abort_verdict(code) is AbortVerdict.AGAIN} == {
        *again,
        51,
    }


def test_the_codes_are_those_of_the_client_library():
    from confluent_kafka import KafkaError

    from raystream.connectors.kafka import clients

    assert clients.PARTITION_EOF == KafkaError._PARTITION_EOF
    assert clients.AUTO_OFFSET_RESET == KafkaError._AUTO_OFFSET_RESET
    assert clients.LOG_TRUNCATION == KafkaError._LOG_TRUNCATION
    assert clients.UNKNOWN_PARTITION == KafkaError._UNKNOWN_PARTITION
    assert clients.UNKNOWN_TOPIC == KafkaError._UNKNOWN_TOPIC
    assert clients.AUTHENTICATION == KafkaError._AUTHENTICATION


def test_closing_a_pre_committed_producer_would_abort_it(bench, topic, admin):
    """Why there is no close: the negative control of R2, and of `retire`."""
    transaction, identity = _open(bench, topic, bench.job)
    try:
        transaction._producer._producer.close()
    except KafkaException:
        pass
    assert _final(admin, identity, commit=COMMIT) in (48, 90)


def test_without_the_check_of_deliveries_a_part_would_be_committed(kafka, bench, topic_name, admin):
    """Negative control of R1: flush() == 0 and EndTxn NONE, yet a record is missing."""
    name = kafka.create_topic(topic_name, 2, {"max.message.bytes": "1000"})
    transaction, identity = _open(bench, name, bench.job, write=False)
    small, large = [b"x"] * 50, [bytes(range(256)) * 20]
    messages = Messages([*small, *large], keys=[*[b"a"] * 50, b"b"])
    assert transaction.write(messages, 0) == 51
    assert transaction._producer.flush(20) == 0
    assert _final(admin, identity, commit=COMMIT) == 0
    assert len(bench.visible(name)) < 51
    with pytest.raises(RaystreamError, match="were not delivered"):
        transaction.poll()
    transaction.retire()


def test_a_reused_producer_would_let_a_late_commit_publish_half_a_transaction(bench, topic, admin):
    """Negative control of R3: why each transaction has a producer of its own."""
    transaction, identity = _open(bench, topic, bench.job)
    assert _final(admin, identity, commit=COMMIT) == 0
    producer = transaction._producer
    producer._producer.commit_transaction(10)
    producer.begin_transaction()
    producer.produce(topic, Messages([b"half"]), 0)
    assert producer.flush(10) == 0
    assert _final(admin, identity, commit=COMMIT) == 0
    assert b"half" in bench.values(topic, 2)
    transaction.retire()
