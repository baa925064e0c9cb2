"""Check whether a job would run on these brokers: topics, rights, limits; changes nothing.

The brokers report rights themselves (KIP-430). For rights that no answer reports, requests are
sent that the brokers refuse anyway, but only after they have checked the rights.
"""

from __future__ import annotations

import secrets
from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING

from raystream.connectors.kafka.answers import (
    INVALID_PRODUCER_ID_MAPPING,
    TOPIC_AUTHORIZATION_FAILED,
    UNKNOWN_TOPIC_OR_PARTITION,
    name_of,
)
from raystream.connectors.kafka.delivery import DEFAULT_TIMEOUT_MS
from raystream.connectors.kafka.enumerator import advice_for_missing
from raystream.connectors.kafka.inspection import KafkaPythonInspection, TopicFacts
from raystream.connectors.kafka.transactional_id import TransactionalId, of_other_storage
from raystream.connectors.kafka.transactions import OPEN
from raystream.graph.policies import DeliveryGuarantee
from raystream.observe.finding import Finding, error, ok, warning

if TYPE_CHECKING:
    from raystream.connectors.kafka.sink import KafkaSink
    from raystream.connectors.kafka.source import KafkaSource

OLDEST = (3, 0)
"""The first brokers that list transactions (KIP-664)."""

_LIMIT = "transaction.max.timeout.ms"
_NO_GROUP_RIGHT = 30
_NO_TRANSACTION_RIGHT = 53
_PRODUCER_BYTES = 1_000_000


@dataclass(frozen=True, slots=True)
class JobFacts:
    """What a check must know of the job.

    Args:
        name: Job.
        guarantee: Of the pipeline; that of a topic takes precedence.
        interval_s: Time between checkpoints.
        timeout_s: Checkpoint timeout.
        store_id: Of its checkpoint storage; empty: it has none yet.
    """

    name: str
    guarantee: DeliveryGuarantee
    interval_s: float
    timeout_s: float
    store_id: str = ""


def check_brokers(asking: KafkaPythonInspection, address: str) -> Iterator[Finding]:
    """Their number and version.

    Args:
        asking: Connected.
        address: For people.
    """
    version, count = asking.version(), asking.brokers()
    about = f"brokers {address}"
    if tuple(map(int, version.split(".")[:2])) < OLDEST:
        text = f"Kafka {version} is too old: transactions cannot be listed"
        yield error(about, text, f"use Kafka {'.'.join(map(str, OLDEST))} or newer")
        return
    number = "1 broker" if count == 1 else f"{count} brokers"
    yield ok(about, f"{number}, Kafka {version} or newer, logged in")


def check_source(topic: KafkaSource, asking: KafkaPythonInspection, job: str) -> Iterator[Finding]:
    """Check that topics exist and may be read, also with the group of the job.

    Args:
        topic: The source.
        asking: Connected to its brokers.
        job: Name of the job: the default group.
    """
    facts = asking.topics(topic.topics or None)
    names = topic.topics if topic.pattern is None else topic.pattern.among(facts)
    for name in names:
        yield from _topic(facts[name], "READ", asking)
    if not names:
        yield warning(topic.describe(), "there is none yet", "new ones are found while it runs")
    group = topic.group_id or job
    code = asking.may_use_group(group)
    if code == _NO_GROUP_RIGHT:
        text = "no right to use it, and without nothing can be read"
        yield error(f"group {group}", text, f"allow READ on Group {group}")
    else:
        yield ok(f"group {group}", "may be used")


def check_sink(topic: KafkaSink, asking: KafkaPythonInspection, job: JobFacts) -> Iterator[Finding]:
    """Check that the topic exists and may be written, and transactions work and last long enough.

    Args:
        topic: The sink.
        asking: Connected to its brokers.
        job: The job.
    """
    name = topic.topic
    facts = asking.topics(topic.topics)[name]
    yield from _topic(facts, "WRITE", asking)
    if not facts.code:
        yield from _durability(topic, facts, asking)
    if (topic.delivery_guarantee or job.guarantee) == DeliveryGuarantee.EXACTLY_ONCE:
        yield from _transactional_id(topic, asking, job)
        yield from _markers(facts)
        yield from _timeouts(topic, asking, job)
        yield from _foreign(topic, asking, job)


def _topic(facts: TopicFacts, right: str, asking: KafkaPythonInspection) -> Iterator[Finding]:
    about = f"topic {facts.name}"
    if facts.code == UNKNOWN_TOPIC_OR_PARTITION:
        yield error(about, "there is no such topic", _for_missing(facts.name, asking))
    elif facts.code == TOPIC_AUTHORIZATION_FAILED:
        text = "no right to see it, or it does not exist"
        yield error(about, text, f"allow {right} on Topic {facts.name}")
    elif facts.code:
        yield error(about, f"the brokers answer {name_of(facts.code)}", "try again")
    elif facts.rights is not None and right not in facts.rights:
        verb = "read" if right == "READ" else "write to"
        text = f"no right to {verb} it"
        yield error(about, text, f"allow {right} on Topic {facts.name}")
    elif facts.leaderless:
        shown = ", ".join(map(str, facts.leaderless[:5]))
        text = f"partition {shown} has no leader"
        yield error(about, text, "is one of the brokers down?")
    else:
        verb = "read" if right == "READ" else "written"
        yield ok(about, f"{_count(len(facts.replicas), 'partition')}, may be {verb}")


def _for_missing(name: str, asking: KafkaPythonInspection) -> str:
    known = [one.name for one in asking.topics(None).values() if not one.name.startswith("__")]
    return advice_for_missing(name, known)


def _durability(
    topic: KafkaSink, facts: TopicFacts, asking: KafkaPythonInspection
) -> Iterator[Finding]:
    about, replicas = f"topic {facts.name}", min(facts.replicas, default=0)
    settings = asking.topic_settings(facts.name)
    told = settings.get("min.insync.replicas")
    least = int(told) if told is not None else None
    if least is not None and least > replicas:
        text = f"min.insync.replicas is {least}, but it has {_count(replicas, 'replica')}"
        yield error(about, f"{text}: nothing can be written", "lower it, or add replicas")
    elif replicas == 1 and asking.brokers() > 1:
        text = "it has one replica: what is on a broker is lost with it"
        yield warning(about, text, "use 3 replicas and min.insync.replicas 2")
    elif least is not None and 1 < replicas == least:
        text = f"min.insync.replicas is the number of replicas, {least}"
        yield warning(about, f"{text}: one broker down stops the job", f"set it to {least - 1}")
    elif least == 1 < replicas:
        text = "min.insync.replicas is 1: committed output may be lost with one broker"
        yield warning(about, text, "set it to 2")
    largest = int(settings.get("max.message.bytes", 0))
    wanted = int(topic.connection.producer_config.get("message.max.bytes", _PRODUCER_BYTES))
    if 0 < largest < wanted:
        text = f"it takes records of {largest} bytes, our producer sends up to {wanted}"
        advice = "raise max.message.bytes, or lower message.max.bytes in producer_config"
        yield warning(about, text, advice)


def _markers(facts: TopicFacts) -> Iterator[Finding]:
    if not facts.code and facts.rights is not None and "READ" not in facts.rights:
        text = (
            "no right to read it: a commit that a broker forgot to show (KAFKA-20734) is not seen"
        )
        yield warning(f"topic {facts.name}", text, f"allow READ on Topic {facts.name}")


def _transactional_id(
    topic: KafkaSink, asking: KafkaPythonInspection, job: JobFacts
) -> Iterator[Finding]:
    prefix = f"{topic.transactional_id_prefix}{job.name}"
    never = TransactionalId(prefix, secrets.token_hex(4), 0, "check", 0, 0)
    code = asking.may_write_transactions(str(never))
    about = f"transactional ids {prefix}.*"
    if code == _NO_TRANSACTION_RIGHT:
        advice = f"allow WRITE on TransactionalId {prefix}, prefixed"
        yield error(about, "no right to use them", advice)
    elif code != INVALID_PRODUCER_ID_MAPPING:
        yield warning(about, f"the brokers answer {name_of(code)}", "look again in a minute")
    else:
        yield ok(about, "may be used")


def _timeouts(topic: KafkaSink, asking: KafkaPythonInspection, job: JobFacts) -> Iterator[Finding]:
    """A transaction older than half its limit is not committed: too little time would be left."""
    about = f"transactions to {topic.topic}"
    told = asking.broker_settings().get(_LIMIT)
    most = int(told) if told is not None else None
    wanted = topic.transaction_timeout_ms
    if wanted is not None and most is not None and wanted > most:
        text = f"transaction_timeout {_time(wanted)} is above the brokers' {_LIMIT}, {_time(most)}"
        yield error(about, text, "lower it, or raise the limit")
        return
    limit = wanted or min(most or DEFAULT_TIMEOUT_MS, DEFAULT_TIMEOUT_MS)
    half, interval = limit / 2000, job.interval_s
    each = f"open for at most {_time(limit)}"
    if interval >= half:
        text = f"{each}, which is less than twice checkpoint_interval ({interval:g} s)"
        yield error(about, text, "lower checkpoint_interval, or raise transaction_timeout")
    elif interval + job.timeout_s > half:
        text = (
            f"{each}; half of it is less than checkpoint_interval + checkpoint_timeout"
            f" ({interval + job.timeout_s:g} s): a slow checkpoint comes too late"
        )
        yield warning(about, text, "lower checkpoint_timeout, or raise transaction_timeout")
    else:
        unknown = "" if most is not None else " (the brokers do not tell their limit)"
        yield ok(about, f"{each}{unknown}, checkpoints every {interval:g} s")


def _foreign(topic: KafkaSink, asking: KafkaPythonInspection, job: JobFacts) -> Iterator[Finding]:
    mine = f"{topic.transactional_id_prefix}{job.name}"
    foreign = of_other_storage(asking.transaction_ids(OPEN), mine, job.store_id)
    if foreign:
        number = _count(len(foreign), "open transaction")
        text = f"{number} of a job of this name with other storage: {', '.join(foreign[:3])}"
        advice = "is it run elsewhere, too? else see `raystream txn abort`"
        yield warning(f"job {mine}", text, advice)


def _count(number: int, word: str) -> str:
    return f"1 {word}" if number == 1 else f"{number} {word}s"


def _time(milliseconds: float) -> str:
    return f"{milliseconds / 1000:g} s"
