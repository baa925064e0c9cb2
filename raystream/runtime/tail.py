"""Taps: pick a few of the rows that pass a step, for viewers; idle without a viewer.

The processing thread pays one attribute lookup per batch. While a viewer is active, it picks at
most PER_SECOND rows; what is not fetched in time is dropped: nothing waits, memory is bounded.
"""

from __future__ import annotations

import secrets
import threading
from collections import deque
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import polars as pl

from raystream.data.batch import Batch
from raystream.data.beyond_python import shown_rows
from raystream.errors import ConfigurationError
from raystream.graph.nearest import did_you_mean
from raystream.ids import StepName, SubtaskId
from raystream.job.spec import JobSpec
from raystream.plan.physical import ChainSpec
from raystream.time.clock import Clock

PER_SECOND = 1000
AT_ONCE = 200
"""Maximum rows of one batch: a closing window may emit a hundred thousand."""

KEPT_ROWS = 1000
KEPT_BYTES = 2_000_000
"""Limits of the rows kept for viewers, per subtask and step."""

LOOKS_S = 10.0
"""A viewer that has not asked for this long is gone, seconds."""

Row = dict[str, Any]
Mark = tuple[str, int]
"""A tap and the number of its next row to fetch."""

TailMarks = dict[SubtaskId, Mark | None]
"""Read position in each subtask."""


@dataclass(frozen=True, slots=True)
class _Picked:
    first: int
    rows: Sequence[Row]
    size: int


class Tap:
    """Picks rows at one place. `take` is for the processing thread, `since` for any other.

    Args:
        clock: Clock.
    """

    def __init__(self, clock: Clock) -> None:
        self.id = secrets.token_hex(4)
        self._clock = clock
        self._lock = threading.Lock()
        self._kept: deque[_Picked] = deque()
        self._next = 0
        self._looked = self._filled = clock.now()
        self._credit = float(AT_ONCE)

    def take(self, batch: Batch) -> bool:
        """Pick some rows of a batch; False if there is no viewer any more."""
        now = self._clock.now()
        if now - self._looked > LOOKS_S:
            return False
        self._credit = min(float(AT_ONCE), self._credit + (now - self._filled) * PER_SECOND)
        self._filled = now
        wanted = min(int(self._credit), len(batch))
        if wanted:
            self._credit -= wanted
            self._keep(_some(batch, wanted))
        return True

    def _keep(self, frame: pl.DataFrame) -> None:
        rows, size = shown_rows(frame), int(frame.estimated_size())
        with self._lock:
            self._kept.append(_Picked(self._next, rows, size))
            self._next += len(rows)
            while len(self._kept) > 1 and self._too_much():
                self._kept.popleft()

    def _too_much(self) -> bool:
        rows = self._next - self._kept[0].first
        return rows > KEPT_ROWS or sum(each.size for each in self._kept) > KEPT_BYTES

    def since(self, number: int) -> tuple[list[Row], int]:
        """Rows from this number on, as far as they are kept; and the number after them."""
        self._looked = self._clock.now()
        with self._lock:
            kept, end = list(self._kept), self._next
        found = [row for p in kept for row in p.rows[max(0, number - p.first) :]]
        return found, end


def _some(batch: Batch, wanted: int) -> pl.DataFrame:
    """This many rows, evenly spread; fewer if they are large."""
    frame = batch.frame.select(batch.user_columns())
    each = frame.estimated_size() / frame.height
    fit = max(1, min(wanted, int(KEPT_BYTES / 4 / max(each, 1.0))))
    return frame.gather_every(-(-frame.height // fit)).head(fit)


class Tapped(Protocol):
    """A place where rows pass: offers each batch to `tap` if set, and removes it on False."""

    tap: Tap | None


class Taps:
    """All taps of one subtask.

    Args:
        places: Place by step: the output of each step; for sinks their input.
        clock: Clock.
    """

    def __init__(self, places: Mapping[StepName, Tapped], clock: Clock) -> None:
        self._places = places
        self._clock = clock

    def since(self, step: StepName, mark: Mark | None) -> tuple[list[Row], Mark | None]:
        """Rows of a step picked since the last request; the first request only starts picking.

        Args:
            step: Its name; steps of other subtasks are unknown here.
            mark: Result of the last request.
        """
        place = self._places.get(step)
        if place is None:
            return [], None
        tap = place.tap
        if tap is None:
            tap = place.tap = Tap(self._clock)
        number = mark[1] if mark is not None and mark[0] == tap.id else 0
        rows, end = tap.since(number)
        return rows, (tap.id, end)


def tappable(chains: Iterable[ChainSpec]) -> list[StepName]:
    """Steps whose rows can be viewed."""
    return [name for chain in chains for step in chain.steps for name in (step.name, *step.also)]


def check(job: JobSpec, step: StepName) -> None:
    """Refuse a step that the job does not have.

    Raises:
        ConfigurationError: names the nearest one.
    """
    known = tappable(job.plan.chains)
    if step not in known:
        what = f"job {job.name} has no step {step!r}"
        raise ConfigurationError(what, what_to_do=did_you_mean(step, known))
