"""Ended runs, from the checkpoint storages that this user's runs are known to use."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from raystream.errors import ConfigurationError, StorageError

if TYPE_CHECKING:
    from raystream.job.past import PastRun
    from raystream.observe.diary import Event


def past_of(name: str, storage: str | None = None) -> list[PastRun]:
    """The runs of a job that its storage knows, newest first.

    Args:
        name: Name of the job.
        storage: Checkpoint storage. Default: those of this user's runs on this machine,
            RAYSTREAM_CHECKPOINT_STORAGE, ~/.raystream/checkpoints.
    """
    found = (run for place in _storages(name, storage) for run in _runs(place, name))
    return sorted(found, key=lambda run: -run.started_at_ms)


def all_past(storage: str | None = None) -> list[PastRun]:
    """The runs of every job, like `past_of`, newest first."""
    jobs = {(place, job) for place in _storages(None, storage) for job in _jobs(place)}
    found = (run for place, job in jobs for run in _runs(place, job))
    return sorted(found, key=lambda run: -run.started_at_ms)


def logs_of(run: PastRun, storage: str | None = None) -> Sequence[str]:
    """Last log lines of the processes of a run; empty if they were not kept."""
    from raystream.runtime.past import past_logs
    from raystream.storage.open import job_store

    for place in _storages(run.job, storage):
        try:
            lines = past_logs(job_store(place, run.job), run)
        except (StorageError, ConfigurationError):
            continue
        if lines:
            return lines
    return []


def diary_of(name: str, since_ms: int, storage: str | None = None) -> list[Event]:
    """What happened to a job, over all its runs that its storage knows, oldest first.

    Args:
        name: Name of the job.
        since_ms: Only from then on, epoch ms.
        storage: See `past_of`.
    """
    from raystream.runtime.diary_book import diary
    from raystream.storage.open import job_store

    found: list[Event] = []
    for place in _storages(name, storage):
        for run in _runs(place, name):
            found += diary(job_store(place, name), run, since_ms)
    return sorted(found, key=lambda each: each.at_ms)


def _storages(job: str | None, storage: str | None) -> list[str]:
    from raystream.api.jobs.run import DEFAULT_STORAGE
    from raystream.runtime.registry import known

    if storage:
        return [_absolute(storage)]
    told = [run.storage for run in known() if job in {None, run.job}]
    usual = os.environ.get("RAYSTREAM_CHECKPOINT_STORAGE") or DEFAULT_STORAGE
    return list(dict.fromkeys(_absolute(place) for place in (*told, usual)))


def _absolute(place: str) -> str:
    return place if "://" in place else os.path.abspath(os.path.expanduser(place))


def _runs(place: str, job: str) -> list[PastRun]:
    """Runs in a storage; empty if the storage is gone: it is not created by looking."""
    from raystream.runtime.past import past_runs
    from raystream.storage.open import job_store

    if "://" not in place and not os.path.isdir(os.path.join(place, job)):
        return []
    try:
        return past_runs(job_store(place, job))
    except (StorageError, ConfigurationError):
        return []


def _jobs(place: str) -> Iterator[str]:
    """Names of the jobs in a storage."""
    from raystream.job.past import RUNS
    from raystream.runtime.registry import known
    from raystream.storage.open import open_store

    if "://" not in place:
        folder = Path(place)
        yield from (each.parent.name for each in folder.glob(f"*/{RUNS.rstrip('/')}"))
        return
    yield from (run.job for run in known() if run.storage == place)
    try:
        keys = open_store(place).list("")
    except (StorageError, ConfigurationError):
        return
    yield from {key.partition("/")[0] for key in keys if f"/{RUNS}" in key}
