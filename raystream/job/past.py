"""Past runs of a job: what its storage keeps of each, and how to read it back."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from typing import Any

from raystream.job.outcome import Outcome
from raystream.observe.json_form import from_json, to_json
from raystream.observe.status import StatusDocument

RUNS = "runs/"
"""Prefix below the job's storage; no key of its log starts with it."""

KEPT_RUNS = 20
BEGAN, ENDED, LOGS, DIARY = "began", "ended", "logs", "diary-"
_DIGITS = 13
_VERSION = 1


@dataclass(frozen=True, slots=True)
class PastRun:
    """One run of a job, as recorded in its storage.

    Args:
        job: Name of the job.
        run: Random id of the run.
        started_at_ms: Epoch ms.
        where: Host and process that ran its coordinator.
        status: Its last status; None: its end was not recorded.
        outcome: How it ended; None: its end was not recorded.
    """

    job: str
    run: str
    started_at_ms: int
    where: str = ""
    status: StatusDocument | None = None
    outcome: Outcome | None = None

    def document(self) -> StatusDocument:
        """The status of the run, after its end.

        >>> PastRun("sale", "ab", 5).document().message
        'it ended without a word: its processes or their machine died, or were killed'
        """
        known = StatusDocument(self.job, "ended", run=self.run, started_at_ms=self.started_at_ms)
        if self.outcome is not None:
            return (self.status or known).ended(self.outcome.kind, self.outcome.message)
        silent = "it ended without a word: its processes or their machine died, or were killed"
        return replace(known, outcome="gone", message=silent)


def run_key(started_at_ms: int, run: str, what: str) -> str:
    """Name of an object of a run; a listing is sorted by time.

    >>> run_key(1_700_000_000_000, "c0ffee", ENDED)
    'runs/1700000000000-c0ffee.ended'
    """
    return f"{RUNS}{started_at_ms:0{_DIGITS}d}-{run}.{what}"


def run_of(key: str) -> tuple[str, str]:
    """Start time and id of the run that a key belongs to, as one text, and the kind of the object.

    >>> run_of("runs/1700000000000-c0ffee.ended")
    ('runs/1700000000000-c0ffee', 'ended')
    """
    stem, _, what = key.rpartition(".")
    return stem, what


def too_old(keys: Iterable[str], keep: int = KEPT_RUNS) -> list[str]:
    """Keys of all runs except the `keep` newest.

    >>> too_old(["runs/2-b.began", "runs/1-a.began", "runs/1-a.ended"], keep=1)
    ['runs/1-a.began', 'runs/1-a.ended']
    """
    known = sorted(keys)
    stems = sorted({run_of(key)[0] for key in known})
    gone = set(stems[:-keep])
    return [key for key in known if run_of(key)[0] in gone]


def began(job: str, run: str, started_at_ms: int, where: str) -> bytes:
    """Content of the object written when a run begins."""
    return _text({"job": job, "run": run, "started_at_ms": started_at_ms, "where": where})


def ended(outcome: Outcome, status: StatusDocument | None) -> bytes:
    """Content of the object written when a run ends."""
    told = None if status is None else status.to_dict()
    return _text({"outcome": to_json(outcome), "status": told})


def past_run(first: bytes, last: bytes | None) -> PastRun | None:
    """Decode a run from its objects; None: they are damaged.

    >>> run = past_run(began("sale", "ab", 5, "here"), ended(Outcome("failed", "boom"), None))
    >>> run.outcome.message, run.document().outcome
    ('boom', 'failed')
    """
    try:
        told: Mapping[str, Any] = json.loads(first)
        run = PastRun(
            str(told["job"]), str(told["run"]), int(told["started_at_ms"]), str(told["where"])
        )
        if last is None:
            return run
        end = json.loads(last)
        status = end["status"] and StatusDocument.from_dict(end["status"])
        return replace(run, status=status or None, outcome=from_json(Outcome, end["outcome"]))
    except (ValueError, KeyError, TypeError, RecursionError):
        return None


def _text(document: Mapping[str, Any]) -> bytes:
    return json.dumps({"version": _VERSION, **document}).encode()
