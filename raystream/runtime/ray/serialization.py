"""A job and the requests to its subtasks, as bytes between processes."""

from __future__ import annotations

import builtins
import io
import os
import pickle
import platform
from collections.abc import Mapping
from importlib.metadata import PackageNotFoundError, version
from types import BuiltinFunctionType
from typing import Any

import cloudpickle

from raystream.connectors.kafka.settings import BOOTSTRAP_VARIABLE
from raystream.errors import ConfigurationError
from raystream.job.spec import JobSpec, OpenRequest
from raystream.native import SWITCH
from raystream.runtime.log_format import VARIABLE
from raystream.runtime.points import to_hand_on

TELEMETRY = "OTEL_"
"""Begins the names of OpenTelemetry's variables."""

_JOB = "raystream job"
_MOST_BYTES = 80 * 2**20
"""Ray's limit is 95 MiB; every subtask unpacks the job at each start."""


def pack_job(job: JobSpec) -> bytes:
    """The packed job with its user functions (by value where they cannot be imported).

    Raises:
        ConfigurationError: something in the job cannot be pickled, or it is too large.
    """
    try:
        buffer = io.BytesIO()
        _JobPickler(buffer).dump(job)
        packed = buffer.getvalue()
    except Exception as error:
        what = f"the job cannot be sent to other processes: {error}"
        advice = "open files, locks and connections inside your functions, not outside"
        raise ConfigurationError(what, job.name, advice) from error
    if len(packed) > _MOST_BYTES:
        what = f"the job with all that its functions refer to is {len(packed) // 2**20} MiB large"
        advice = "let your functions load large tables when they are first called"
        raise ConfigurationError(what, job.name, advice)
    return packed


def environment_of_job(points: Mapping[str, str] | None = None) -> dict[str, str]:
    """Variables that every process of a job gets from its driver.

    The driver's brokers are used by all processes, even on a cluster started without them; the
    same for its word about the native reader, and for where OpenTelemetry's exporter sends.

    Args:
        points: Named points, for tests; None: those of this process.
    """
    names = (BOOTSTRAP_VARIABLE, SWITCH, VARIABLE)
    given = {name: value for name in names if (value := os.environ.get(name))}
    given |= {name: value for name, value in os.environ.items() if name.startswith(TELEMETRY)}
    return {**given, **(to_hand_on(os.environ) if points is None else points)}


def unpack_job(data: bytes) -> JobSpec:
    """The inverse of `pack_job`."""
    job: JobSpec = pickle.loads(data)  # noqa: S301 - sent by our own driver through Ray
    return job


def pack_request(request: OpenRequest) -> bytes:
    """Pack the request without its job, so that the job's bytes stay those of the driver.

    If the coordinator packed the job again, functions of modules that the driver registered by
    value would be sent by name and not be found.
    """
    buffer = io.BytesIO()
    _RequestPickler(buffer, request.job).dump(request)
    return buffer.getvalue()


def unpack_request(data: bytes, job: bytes) -> OpenRequest:
    """The inverse of `pack_request`, given the job's bytes."""
    unpickler = _RequestUnpickler(io.BytesIO(data), unpack_job(job))
    request: OpenRequest = unpickler.load()
    return request


def versions() -> dict[str, str]:
    """Versions that all processes of a job must share: hashes and IPC depend on them.

    >>> sorted(versions())
    ['polars', 'python', 'raystream']
    """
    minor = ".".join(platform.python_version_tuple()[:2])
    return {"python": minor, "polars": _version("polars"), "raystream": _version("raystream")}


def differing(theirs: Mapping[str, str]) -> str:
    """How another process's versions differ from ours, as text; empty: they are equal.

    >>> differing(versions())
    ''
    """
    mine = versions()
    parts = [f"{k} {mine[k]} here, {theirs.get(k)} there" for k in mine if mine[k] != theirs.get(k)]
    return "; ".join(parts)


def _version(package: str) -> str:
    try:
        return version(package)
    except PackageNotFoundError:
        return "unknown"


class _JobPickler(cloudpickle.Pickler):  # type: ignore[misc]  # cloudpickle has no types
    def reducer_override(self, obj: Any) -> Any:
        """Send a built-in function that was replaced by its name.

        Ray replaces `builtins.print` when a worker prints a progress bar; pickle refuses the
        `print` that a pipeline got before.
        """
        if isinstance(obj, BuiltinFunctionType) and obj.__self__ is builtins:
            replaced = getattr(builtins, obj.__name__, None) is not obj
            return (getattr, (builtins, obj.__name__)) if replaced else NotImplemented
        return super().reducer_override(obj)


class _RequestPickler(cloudpickle.Pickler):  # type: ignore[misc]  # cloudpickle has no types
    def __init__(self, file: io.BytesIO, job: JobSpec) -> None:
        super().__init__(file)
        self._job = job

    def persistent_id(self, obj: Any) -> str | None:
        """Refer to the job by name."""
        return _JOB if obj is self._job else None


class _RequestUnpickler(pickle.Unpickler):
    def __init__(self, file: io.BytesIO, job: JobSpec) -> None:
        super().__init__(file)
        self._job = job

    def persistent_load(self, pid: Any) -> JobSpec:
        """Resolve the reference to the job."""
        assert pid == _JOB
        return self._job
