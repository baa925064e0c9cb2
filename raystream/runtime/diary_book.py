"""The diary of a run, kept in the job's storage: what happened when, in words, for months.

Only what is rare is kept: failures with their cause, states, the first checkpoint of an attempt,
failed ones, savepoints, and each kind of note once an hour. The last KEPT_PIECES pieces of a run
stay, and those of the last 20 runs of a job.
"""

from __future__ import annotations

import json
import re
import threading
from collections import deque
from collections.abc import Iterator, Sequence
from contextlib import suppress

from raystream.errors import StorageError
from raystream.job import past
from raystream.job.outcome import Outcome
from raystream.job.past import PastRun
from raystream.observe.diary import ENDED, Event, events
from raystream.observe.json_form import from_json, to_json
from raystream.observe.status import StatusDocument
from raystream.runtime.past import Past
from raystream.storage.base import Store

EVERY_S = 10.0
"""Events of this many seconds are written together."""

KEPT_PIECES = 200
MOST_EVENTS = 200
"""Events of one piece; more are counted only."""

SAME_NOTE_MS = 3_600_000


class DiaryBook:
    """Writes the diary of one run, in a thread of its own, so that the job never waits."""

    def __init__(self) -> None:
        self._before = StatusDocument("", "")
        self._lock = threading.Lock()
        self._events: list[Event] = []
        self._left_out = 0
        self._noted: dict[str, int] = {}
        self._keys: deque[str] = deque()
        self._wake = threading.Event()
        self._over = False
        self._thread: threading.Thread | None = None

    def begin(self, past: Past) -> None:
        """Start to write.

        Args:
            past: The record of the run.
        """
        self._thread = threading.Thread(
            target=self._write, args=(past,), name="raystream-diary", daemon=True
        )
        self._thread.start()

    def take(self, status: StatusDocument) -> None:
        """Note what has happened since the last status; returns at once."""
        found = [each for each in events(self._before, status) if self._is_rare(each)]
        self._before = status
        with self._lock:
            room = MOST_EVENTS - len(self._events)
            self._events += found[:room]
            self._left_out += len(found[room:])
        if any(each.kind == "failure" for each in found):
            self._wake.set()

    def end(self, outcome: Outcome | None = None, patience: float = 5.0) -> None:
        """Write what is left, and wait for it.

        Args:
            outcome: How the run ended; None: not known.
            patience: Seconds.
        """
        if outcome is not None:
            last = self._before
            text = f"the run has ended: {outcome.kind}"
            if outcome.message:
                text += f": {outcome.message.splitlines()[0]}"
            with self._lock:
                self._events.append(Event(last.at_ms, "end", text, last.attempt))
        self._over = True
        self._wake.set()
        if self._thread is not None:
            self._thread.join(patience)

    def _is_rare(self, event: Event) -> bool:
        if event.kind == "checkpoint" or event.text == ENDED:  # `end` tells how
            return False
        if event.kind != "note":
            return True
        kind = re.sub(r"[\d.:,-]+", "#", event.text)
        last = self._noted.get(kind)
        if last is not None and event.at_ms - last < SAME_NOTE_MS:
            return False
        if len(self._noted) > MOST_EVENTS:
            self._noted.clear()
        self._noted[kind] = event.at_ms
        return True

    def _write(self, past: Past) -> None:
        while not self._over:
            self._wake.wait(EVERY_S)
            self._wake.clear()
            self._flush(past)
        self._flush(past)

    def _flush(self, past: Past) -> None:
        with self._lock:
            found, self._events = self._events, []
            left_out, self._left_out = self._left_out, 0
        if not found:
            return
        document = {"events": to_json(found), "left_out": left_out}
        key = past.diary(found[0].at_ms, json.dumps(document).encode())
        if not key:  # the storage does not answer, or the run has not begun: later
            with self._lock:
                self._events = (found + self._events)[:MOST_EVENTS]
            return
        self._keys.append(key)
        if len(self._keys) > KEPT_PIECES:
            past.forget(self._keys.popleft())


def diary(store: Store, run: PastRun, since_ms: int = 0) -> Iterator[Event]:
    """Events of a run, oldest first; pieces that cannot be read are left out.

    Args:
        store: Storage of the job.
        run: The run.
        since_ms: Only from then on, epoch ms.
    """
    stem = past.run_of(past.run_key(run.started_at_ms, run.run, past.BEGAN))[0]
    with suppress(StorageError, OSError):
        for key in sorted(store.list(f"{stem}.{past.DIARY}")):
            yield from (each for each in _piece(store.get(key)) if each.at_ms >= since_ms)


def _piece(data: bytes | None) -> Sequence[Event]:
    try:
        told = json.loads(data or b"{}")
        return [from_json(Event, each) for each in told.get("events", ())]
    except (ValueError, TypeError, AttributeError):
        return []
