"""Failures of Kafka by what follows: another attempt may succeed, or it can not."""

from __future__ import annotations

from raystream.errors import JobFailed, RaystreamError

_LASTING = ("MSG_SIZE_TOO_LARGE", "authorization failed", "AUTHORIZATION_FAILED", "INVALID_RECORD")


class KafkaFailure(RaystreamError, ConnectionError):
    """Brokers did not answer, or did not do what was asked: infrastructure, so try again.

    >>> str(KafkaFailure("2 records were not delivered in time", "topic counts"))
    'topic counts: 2 records were not delivered in time'
    """


def write_failure(reason: str, where: str) -> RaystreamError:
    """The error for records that were not written: JobFailed if no attempt can write them.

    >>> type(write_failure("MSG_SIZE_TOO_LARGE: too large", "topic counts")).__name__
    'JobFailed'
    >>> type(write_failure("_MSG_TIMED_OUT: timed out", "topic counts")).__name__
    'KafkaFailure'
    """
    lasting = any(word in reason for word in _LASTING)
    return JobFailed(reason, where) if lasting else KafkaFailure(reason, where)
