"""A run on a cluster through Ray's job submission: submit, follow, and fetch its exit code."""

from __future__ import annotations

import asyncio
import logging
import os
import shlex
import socket
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from raystream.errors import ConfigurationError, RaystreamError
from raystream.exit_codes import ExitCode
from raystream.job.facts import without_credentials
from raystream.runtime.ray.cluster import started_head, use_token_if_there_is_one
from raystream.runtime.ray.working_dir import check_working_dir

ADDRESS_VARIABLE = "RAY_API_SERVER_ADDRESS"
_REACH_SECONDS = 5.0
_LOOK = 1.0
_FAILED = 1
_NOT_FOUND = 127
"""Exit code of a shell for an unknown command."""

_OURS = frozenset(code for code in ExitCode if code is not ExitCode.DONE)
"""Exit codes of `raystream run`."""

_PATIENCE = {"RAY_JOB_STOP_WAIT_TIME_S": "15"}
"""Seconds that `ray job stop` allows for the last commit; Ray's own 3 are few on a busy cluster."""


@dataclass(frozen=True, slots=True)
class Submission:
    """A run to submit.

    Args:
        arguments: Arguments of `raystream`.
        working_dir: Uploaded; becomes the current directory of the job.
        environment: Environment variables of the job.
    """

    arguments: Sequence[str]
    working_dir: Path
    environment: Mapping[str, str] = field(default_factory=dict)

    @property
    def entrypoint(self) -> str:
        """The shell command. `exec`, so that the shell that Ray starts is not between Ray and us.

        >>> Submission(["run", "my job.yaml"], Path(".")).entrypoint
        "exec raystream run 'my job.yaml'"
        """
        return f"exec {shlex.join(['raystream', *self.arguments])}"


class SubmittedJob:
    """A run that was submitted to a cluster.

    Attributes:
        id: Ray's submission id.
    """

    def __init__(self, client: Any, submission_id: str) -> None:
        self._client = client
        self.id = submission_id

    def command(self, verb: str) -> str:
        """A `ray job` command that works as it is, even if the cluster requires a token.

        Args:
            verb: `logs --follow`, `stop`, ..
        """
        token = "RAY_AUTH_MODE=token " if os.environ.get("RAY_AUTH_MODE") == "token" else ""
        return f"{token}ray job {verb} --address {self._client.get_address()} {self.id}"

    def follow(self, write: Callable[[str], None]) -> int:
        """Follow its output until it ends; returns the exit code of its `raystream run`.

        Args:
            write: Receives the output as it arrives, some lines at a time.

        Raises:
            RaystreamError: it ended before or without our own message; the error says why.
        """
        with _explained(self._client.get_address()):
            asyncio.run(self._tail(write))
            while not (status := self._client.get_job_status(self.id)).is_terminal():
                time.sleep(_LOOK)  # the output stream broke, or the job is just ending
            info = self._client.get_job_info(self.id)
        if status.value != "FAILED":
            return 0
        code: int | None = info.driver_exit_code
        if code in _OURS:
            return code
        raise _without_our_message(code, str(info.message or ""))

    async def _tail(self, write: Callable[[str], None]) -> None:
        try:
            async for text in self._client.tail_job_logs(self.id):
                write(text)
        except RuntimeError:
            return  # the connection broke; the job continues


def submit(submission: Submission, address: str | None = None) -> SubmittedJob:
    """Upload the working directory and start the run on the cluster's head.

    Args:
        submission: What to run.
        address: `http://HOST:8265`, or `HOST:PORT` of the head; None: $RAY_API_SERVER_ADDRESS,
            $RAY_ADDRESS, else a head that `ray start` started on this machine.

    Raises:
        ConfigurationError: no cluster, it refuses the connection, or the directory cannot be
            uploaded.
    """
    directory = submission.working_dir.resolve()
    check_working_dir(directory)
    place = _place(address)
    with _explained(place):
        client = _client(place)
        environment = {**_PATIENCE, **submission.environment}
        submission_id = client.submit_job(
            entrypoint=submission.entrypoint,
            runtime_env={"working_dir": str(directory), "env_vars": environment},
        )
    return SubmittedJob(client, str(submission_id))


def _place(address: str | None) -> str:
    given = address or os.environ.get(ADDRESS_VARIABLE) or os.environ.get("RAY_ADDRESS")
    found = given or started_head()
    if found is None:
        what = "no Ray cluster is named, and none runs on this machine"
        raise ConfigurationError(what, what_to_do="write --address http://HOST:8265")
    _check_reachable(found)
    return found


def _check_reachable(address: str) -> None:
    parts = urlsplit(address if "://" in address else f"//{address}")
    if not parts.hostname or not parts.port:
        return
    try:
        socket.create_connection((parts.hostname, parts.port), timeout=_REACH_SECONDS).close()
    except OSError as error:
        shown = without_credentials(address)
        what = f"no Ray cluster answers at {shown}: {error.strerror or error}"
        raise ConfigurationError(what, what_to_do="check the address and that it runs") from None


def _client(address: str) -> Any:
    """Create a client; Ray lets the variable take precedence over the client's argument."""
    before = os.environ.get(ADDRESS_VARIABLE)
    os.environ[ADDRESS_VARIABLE] = address
    try:
        use_token_if_there_is_one()
        from ray.job_submission import JobSubmissionClient

        for name in logging.root.manager.loggerDict:
            if name.partition(".")[0] == "ray":
                logging.getLogger(name).setLevel(logging.ERROR)
        return JobSubmissionClient(address)
    finally:
        if before is None:
            del os.environ[ADDRESS_VARIABLE]
        else:
            os.environ[ADDRESS_VARIABLE] = before


@contextmanager
def _explained(address: str) -> Iterator[None]:
    try:
        yield
    except RaystreamError:
        raise
    except Exception as error:
        first = next(iter(str(error).strip().splitlines()), type(error).__name__)
        if "authentication" in type(error).__name__.lower() or "token" in first.lower():
            what = f"the Ray cluster at {address} asks for a token"
            advice = "put it into ~/.ray/auth_token or RAY_AUTH_TOKEN, and set RAY_AUTH_MODE=token"
            raise ConfigurationError(what, what_to_do=advice) from error
        what = f"the Ray cluster at {address} says: {first}"
        raise ConfigurationError(what) from error


def _without_our_message(code: int | None, message: str) -> RaystreamError:
    if code == _NOT_FOUND:
        what = "the cluster has no command raystream"
        advice = "install raystream in its image, or start Ray in an environment that has it"
        return ConfigurationError(what, what_to_do=advice)
    first = next(iter(message.strip().splitlines()), "") or f"exit code {code}"
    return RaystreamError(f"the run ended without a message of its own: {first}")
