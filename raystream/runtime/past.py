"""Record each run of a job in its storage when it begins and ends; the last twenty are kept."""

from __future__ import annotations

import os
import secrets
import socket
from collections.abc import Sequence
from contextlib import suppress

from raystream.errors import StorageError
from raystream.job import past
from raystream.job.outcome import Outcome
from raystream.job.past import PastRun
from raystream.observe.status import StatusDocument
from raystream.storage.base import Store


class Past:
    """The record of one run. Write errors are ignored: the run matters more.

    Args:
        store: The job's storage.
        job: Name of the job.
        run: Random id of the run; empty: nothing is recorded.
    """

    def __init__(self, store: Store, job: str, run: str) -> None:
        self._store = store
        self._job = job
        self._run = run
        self._stem = ""

    def begin(self, now_ms: int) -> None:
        """Record the start of the run, unless an earlier coordinator of it already did."""
        if not self._run:
            return
        with suppress(StorageError, OSError):
            known = self._store.list(past.RUNS)
            mine = [past.run_of(key)[0] for key in known if past.run_of(key)[0].endswith(self._run)]
            if mine:
                self._stem = mine[0]
                return
            where = f"{socket.gethostname()}, process {os.getpid()}"
            first = past.run_key(now_ms, self._run, past.BEGAN)
            self._store.create(first, past.began(self._job, self._run, now_ms, where))
            self._stem = past.run_of(first)[0]
            old = past.too_old([*known, first])
            if old:
                self._store.delete(old)

    def end(self, outcome: Outcome, status: StatusDocument | None) -> None:
        """Record the end of the run."""
        self._write(past.ENDED, past.ended(outcome, status))

    def logs(self, text: str) -> None:
        """Record the last log lines of its processes."""
        self._write(past.LOGS, text.encode())

    def diary(self, at_ms: int, data: bytes) -> str:
        """Keep a piece of the diary; returns its key, empty if it could not be written.

        Args:
            at_ms: Of its first event; with it pieces are sorted.
            data: The piece.
        """
        if not self._stem:
            return ""
        key = f"{self._stem}.{past.DIARY}{at_ms:013d}-{secrets.token_hex(2)}"
        with suppress(StorageError, OSError):
            self._store.create(key, data)
            return key
        return ""

    def forget(self, key: str) -> None:
        """Delete a piece of the diary."""
        with suppress(StorageError, OSError):
            self._store.delete([key])

    def _write(self, what: str, data: bytes) -> None:
        if self._stem:
            with suppress(StorageError, OSError):
                self._store.create(f"{self._stem}.{what}", data)


def past_runs(store: Store, run: str = "") -> list[PastRun]:
    """The runs recorded in a storage, newest first.

    Args:
        store: Storage of the job.
        run: Only this one.

    Raises:
        StorageError: it cannot be read.
    """
    keys = set(store.list(past.RUNS))
    firsts = sorted((k for k in keys if k.endswith(f"{run}.{past.BEGAN}")), reverse=True)
    return [one for first in firsts if (one := _read(store, first, keys)) is not None]


def _read(store: Store, first: str, keys: set[str]) -> PastRun | None:
    last = f"{past.run_of(first)[0]}.{past.ENDED}"
    data = store.get(first)
    return None if data is None else past.past_run(data, store.get(last) if last in keys else None)


def past_logs(store: Store, run: PastRun) -> Sequence[str]:
    """Last log lines of the processes of a run; empty if not recorded."""
    text = store.get(past.run_key(run.started_at_ms, run.run, past.LOGS))
    return [] if text is None else text.decode(errors="replace").splitlines()
