"""How jobs ended that are gone from their clusters, from their storages: for the page."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass

from raystream.api.jobs.past import past_of
from raystream.observe.status import StatusDocument

LOOKS = 20
"""How often the record of an end is looked for: it is written when the job ends, or never."""

PAUSE_S = 0.2
KEPT = 200


@dataclass(slots=True)
class _Missed:
    last: StatusDocument
    looks: int = 0
    end: StatusDocument | None = None


class Endings:
    """Remembers the jobs that were there, and finds how those ended that are there no more."""

    def __init__(self) -> None:
        self._there: dict[str, StatusDocument] = {}
        self._missed: dict[str, _Missed] = {}

    def of_missing(self, found: Sequence[StatusDocument]) -> list[StatusDocument]:
        """Last documents of jobs that have ended and are not among those that were found."""
        now = {each.job: each for each in found}
        for job in self._there.keys() - now.keys():
            self._missed[job] = _Missed(self._there[job])
        for job in now.keys() & self._missed.keys():
            del self._missed[job]
        for job in list(self._missed)[:-KEPT]:
            del self._missed[job]
        silent = {job: each for job, each in self._there.items() if job in now}
        self._there = {
            job: each if each.state != "silent" else silent.get(job, each)
            for job, each in now.items()
        }
        return [end for each in self._missed.values() if (end := _looked_for(each)) is not None]

    def soon_of(self, job: str) -> StatusDocument | None:
        """How a job ended that was told to end, and is gone with its cluster; waits a moment."""
        last = self._missed[job].last if job in self._missed else self._there.get(job)
        for _ in range(LOOKS if last is not None else 0):
            if last is not None and (end := _end_of(last)) is not None:
                return end
            time.sleep(PAUSE_S)
        return None


def _looked_for(missed: _Missed) -> StatusDocument | None:
    if missed.end is None and missed.looks < LOOKS:
        missed.looks += 1
        missed.end = _end_of(missed.last)
    return missed.end


def _end_of(last: StatusDocument) -> StatusDocument | None:
    if last.outcome is not None:
        return last
    place = last.storage.removesuffix(f"/{last.job}/")
    if not last.run or not place:
        return None
    runs = [run for run in past_of(last.job, place) if run.run == last.run and run.outcome]
    return runs[0].document() if runs else None
