"""Convert an exception of a task into a Failure that can be sent and that people can read."""

from __future__ import annotations

import traceback
from pathlib import Path
from types import TracebackType

from raystream.errors import (
    DataError,
    JobFailed,
    RaystreamError,
    StorageError,
    UserCodeError,
    told,
)
from raystream.job.messages import Failure
from raystream.runtime.chain import STEP_OF_ERROR
from raystream.runtime.channels.base import ChannelBroken

_OURS = str(Path(__file__).resolve().parent.parent)
_INFRASTRUCTURE = (OSError, ConnectionError, TimeoutError, StorageError)
_MAX_LINES = 10


def failure_of(error: BaseException) -> Failure:
    """Classify an exception and shorten its description to at most 10 lines.

    >>> failure_of(DataError("not JSON", "topic requests, partition 0, offset 7")).kind
    'data'
    """
    step = str(getattr(error, STEP_OF_ERROR, ""))
    where = error.where if isinstance(error, RaystreamError) else _users_line(error.__traceback__)
    lines = _lines(error, step, where)
    reason = error.what if isinstance(error, RaystreamError) else told(error)
    record = error.record if isinstance(error, RaystreamError) else ""
    return Failure(_kind(error), told(error), where, lines, step, reason, record)


def _kind(error: BaseException) -> str:
    if isinstance(error, ChannelBroken):
        return "channel"
    if isinstance(error, UserCodeError):
        return "user"
    if isinstance(error, DataError | JobFailed):
        return "data"
    if isinstance(error, _INFRASTRUCTURE) or type(error).__module__.startswith(
        ("confluent_kafka", "cimpl", "kafka", "obstore")
    ):
        return "infrastructure"
    return "engine"


def _users_line(trace: TracebackType | None) -> str:
    """The innermost line outside raystream and outside installed packages, as file:line."""
    found = ""
    for frame in traceback.extract_tb(trace):
        foreign = frame.filename.startswith(_OURS) or "site-packages" in frame.filename
        if not foreign and not frame.filename.startswith("<"):
            found = f"{frame.filename}:{frame.lineno}"
    return found


def _lines(error: BaseException, step: str, where: str) -> tuple[str, ...]:
    head = [f"step {step}"] if step else []
    if isinstance(error, RaystreamError):
        story = str(error).splitlines()
    else:
        frames = traceback.extract_tb(error.__traceback__)[-3:]
        story = [f"{frame.filename}:{frame.lineno} in {frame.name}" for frame in frames]
        story.append(told(error))
    if where and (not story or where not in story[-1]):
        story.append(f"at {where}")
    return tuple((head + story)[:_MAX_LINES])
