"""Map broker answers to EndTxn (version <= 4) to verdicts: the table of docs/guarantees.md."""

from __future__ import annotations

from raystream.connectors.base import AbortVerdict, Verdict
from raystream.connectors.kafka.clients import NO_ANSWER

NONE = 0
UNKNOWN_SERVER_ERROR = -1
INVALID_PRODUCER_EPOCH = 47
INVALID_TXN_STATE = 48
INVALID_PRODUCER_ID_MAPPING = 49
CONCURRENT_TRANSACTIONS = 51
UNKNOWN_TOPIC_OR_PARTITION = 3
TOPIC_AUTHORIZATION_FAILED = 29
CLUSTER_AUTHORIZATION_FAILED = 31
UNSUPPORTED_VERSION = 35
PRODUCER_FENCED = 90

NAMES = {
    NONE: "NONE",
    UNKNOWN_SERVER_ERROR: "UNKNOWN_SERVER_ERROR",
    UNKNOWN_TOPIC_OR_PARTITION: "UNKNOWN_TOPIC_OR_PARTITION",
    7: "REQUEST_TIMED_OUT",
    13: "NETWORK_EXCEPTION",
    14: "COORDINATOR_LOAD_IN_PROGRESS",
    15: "COORDINATOR_NOT_AVAILABLE",
    16: "NOT_COORDINATOR",
    TOPIC_AUTHORIZATION_FAILED: "TOPIC_AUTHORIZATION_FAILED",
    CLUSTER_AUTHORIZATION_FAILED: "CLUSTER_AUTHORIZATION_FAILED",
    UNSUPPORTED_VERSION: "UNSUPPORTED_VERSION",
    INVALID_PRODUCER_EPOCH: "INVALID_PRODUCER_EPOCH",
    INVALID_TXN_STATE: "INVALID_TXN_STATE",
    INVALID_PRODUCER_ID_MAPPING: "INVALID_PRODUCER_ID_MAPPING",
    CONCURRENT_TRANSACTIONS: "CONCURRENT_TRANSACTIONS",
    53: "TRANSACTIONAL_ID_AUTHORIZATION_FAILED",
    PRODUCER_FENCED: "PRODUCER_FENCED",
    105: "TRANSACTIONAL_ID_NOT_FOUND",
    NO_ANSWER: "no answer",
}

_AGAIN = frozenset({NO_ANSWER, UNKNOWN_SERVER_ERROR, 7, 13, 14, 15, 16})
_LOST = frozenset({INVALID_PRODUCER_EPOCH, INVALID_TXN_STATE, PRODUCER_FENCED})


def name_of(code: int) -> str:
    """Name of an error code for messages.

    >>> name_of(90), name_of(12345)
    ('PRODUCER_FENCED', 'error 12345')
    """
    return NAMES.get(code, f"error {code}")


def commit_verdict(code: int) -> Verdict:
    """What the answer to EndTxn(commit) means.

    The same handle committed twice is COMMITTED twice: a broker answers NONE in CompleteCommit.
    An unknown code is REFUSED: stop and report, never treat it as a loss.

    >>> commit_verdict(0).value, commit_verdict(51).value, commit_verdict(49).value
    ('committed', 'busy', 'unknown')
    """
    if code == NONE:
        return Verdict.COMMITTED
    if code == CONCURRENT_TRANSACTIONS:
        return Verdict.BUSY
    if code in _AGAIN:
        return Verdict.AGAIN
    if code in _LOST:
        return Verdict.LOST
    if code == INVALID_PRODUCER_ID_MAPPING:
        return Verdict.UNKNOWN
    return Verdict.REFUSED


def abort_verdict(code: int) -> AbortVerdict:
    """What the answer to EndTxn(abort) means.

    NONE and a newer epoch prove that nothing was committed; INVALID_TXN_STATE means that it was.
    Any other final answer proves nothing, which counts as committed.

    >>> abort_verdict(90).value, abort_verdict(48).value, abort_verdict(49).value
    ('aborted', 'partly_committed', 'partly_committed')
    """
    if code in (NONE, PRODUCER_FENCED, INVALID_PRODUCER_EPOCH):
        return AbortVerdict.ABORTED
    if code in _AGAIN or code == CONCURRENT_TRANSACTIONS:
        return AbortVerdict.AGAIN
    return AbortVerdict.PARTLY_COMMITTED
