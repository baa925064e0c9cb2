"""Classify Kafka failures: another attempt may succeed, or it cannot."""

from __future__ import annotations

from collections.abc import Sequence

from raystream.connectors.kafka.clients import Undelivered
from raystream.errors import JobFailed, RaystreamError

PASSING = frozenset(
    """
    CLIENT _TRANSPORT _MSG_TIMED_OUT _TIMED_OUT _TIMED_OUT_QUEUE _ALL_BROKERS_DOWN _RESOLVE _SSL
    _AUTHENTICATION _QUEUE_FULL _PURGE_QUEUE _PURGE_INFLIGHT _FENCED _FATAL _STATE _CONFLICT
    _PREV_IN_PROGRESS _WAIT_COORD _WAIT_CACHE _INTR _RETRY _FAIL _DESTROY _GAPLESS_GUARANTEE
    _INCONSISTENT _OUTDATED _BAD_MSG _UNKNOWN_TOPIC _UNKNOWN_PARTITION _LEADER_CHANGED _NO_OFFSET
    _IN_PROGRESS _ISR_INSUFF _UNDERFLOW _NOOP _PARTIAL REBOOTSTRAP_REQUIRED
    _INVALID_DIFFERENT_RECORD _CRIT_SYS_RESOURCE _NODE_UPDATE
    UNKNOWN INVALID_MSG UNKNOWN_TOPIC_OR_PART LEADER_NOT_AVAILABLE NOT_LEADER_FOR_PARTITION
    REQUEST_TIMED_OUT BROKER_NOT_AVAILABLE REPLICA_NOT_AVAILABLE NETWORK_EXCEPTION
    COORDINATOR_LOAD_IN_PROGRESS GROUP_LOAD_IN_PROGRESS COORDINATOR_NOT_AVAILABLE
    GROUP_COORDINATOR_NOT_AVAILABLE NOT_COORDINATOR NOT_COORDINATOR_FOR_GROUP NOT_ENOUGH_REPLICAS
    NOT_ENOUGH_REPLICAS_AFTER_APPEND NOT_CONTROLLER OUT_OF_ORDER_SEQUENCE_NUMBER
    DUPLICATE_SEQUENCE_NUMBER INVALID_PRODUCER_EPOCH PRODUCER_FENCED INVALID_TXN_STATE
    INVALID_PRODUCER_ID_MAPPING UNKNOWN_PRODUCER_ID CONCURRENT_TRANSACTIONS
    TRANSACTION_COORDINATOR_FENCED TRANSACTION_ABORTABLE KAFKA_STORAGE_ERROR
    SASL_AUTHENTICATION_FAILED FENCED_LEADER_EPOCH UNKNOWN_LEADER_EPOCH OFFSET_NOT_AVAILABLE
    PREFERRED_LEADER_NOT_AVAILABLE ELIGIBLE_LEADERS_NOT_AVAILABLE ELECTION_NOT_NEEDED
    THROTTLING_QUOTA_EXCEEDED STALE_BROKER_EPOCH REBALANCE_IN_PROGRESS
    UNSTABLE_OFFSET_COMMIT UNKNOWN_TOPIC_ID
    """.split()
)
"""Names of errors that another attempt may not hit again; all others are permanent."""

ADVICE = {
    "MSG_SIZE_TOO_LARGE": "raise max.message.bytes of the topic{limit}, and message.max.bytes in "
    "producer_config if it is set there; or write smaller records",
    "INVALID_TIMESTAMP": "correct the column given as timestamp=, or raise "
    "message.timestamp.after.max.ms (or before) of the topic",
    "INVALID_RECORD": "a compacted topic takes no record without a key: give key= or key_by",
    "UNSUPPORTED_COMPRESSION_TYPE": "choose another compression.type in producer_config",
    "POLICY_VIOLATION": "a policy of the brokers refuses it",
    "TOPIC_AUTHORIZATION_FAILED": "allow WRITE on the topic",
    "TRANSACTIONAL_ID_AUTHORIZATION_FAILED": "allow WRITE on TransactionalId, prefixed",
    "CLUSTER_AUTHORIZATION_FAILED": "allow IDEMPOTENT_WRITE on the cluster",
}
ADVICE["RECORD_LIST_TOO_LARGE"] = ADVICE["MSG_SIZE_TOO_LARGE"]


class KafkaFailure(RaystreamError, ConnectionError):
    """Brokers did not answer or did not do what was requested: infrastructure, so retry.

    >>> str(KafkaFailure("2 records were not delivered in time", "topic counts"))
    'topic counts: 2 records were not delivered in time'
    """


def write_failure(
    reason: str, where: str, name: str = "CLIENT", limit: int | None = None
) -> RaystreamError:
    """The error for records that were not written: JobFailed if no attempt can write them.

    Args:
        reason: What happened.
        where: Topic, and the record if it is known.
        name: Of the broker's or the client's error.
        limit: The topic's `max.message.bytes`, if it is known.

    >>> str(write_failure("a record was refused", "topic counts", "POLICY_VIOLATION"))
    'topic counts: a record was refused; a policy of the brokers refuses it'
    >>> type(write_failure("it was not delivered", "topic counts", "_MSG_TIMED_OUT")).__name__
    'KafkaFailure'
    """
    if name in PASSING:
        return KafkaFailure(reason, where)
    told = "" if limit is None else f" (now {limit})"
    advice = ADVICE.get(name, "no restart cures this: correct the record or the topic's settings")
    return JobFailed(reason, where, advice.format(limit=told))


def first_refusal(errors: Sequence[Undelivered]) -> Undelivered | None:
    """The record that made the others of its batch fail, and the whole transaction.

    >>> lost = Undelivered("_PURGE_QUEUE", "purged", "t/0")
    >>> first_refusal([lost, Undelivered("INVALID_TIMESTAMP", "30 days ahead", "t/0")]).name
    'INVALID_TIMESTAMP'
    """
    lasting = (error for error in errors if error.name not in PASSING)
    return next(lasting, errors[0] if errors else None)
