"""Asks all jobs once a second, on one thread for however many pages are open."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from types import MappingProxyType

from raystream.errors import told
from raystream.observe.history import History, Point
from raystream.observe.status import StatusDocument
from raystream.ui.document import NO_ANSWER, Seen
from raystream.ui.jobs import Jobs

LOOK_S = 1.0
RATES_OVER_MS = 5_000
FORGET_MS = 24 * 3_600_000
"""A job that is gone from its cluster is shown as gone for a day."""


@dataclass(slots=True)
class _Known:
    seen: Seen
    history: History = field(default_factory=History)
    earlier: deque[StatusDocument] = field(default_factory=deque)


class Watcher:
    """What is known of every job, and who waits for news.

    Args:
        jobs: Asked on a thread of its own, as it may block.
        clock: Epoch ms.
    """

    def __init__(self, jobs: Jobs, clock: Callable[[], int]) -> None:
        self._jobs = jobs
        self._clock = clock
        self._known: dict[str, _Known] = {}
        self._thread = ThreadPoolExecutor(1, "raystream-ui-look")
        self._news = asyncio.Condition()
        self.trouble = ""

    @property
    def seen(self) -> dict[str, Seen]:
        """What is known of each job, by its name."""
        return {name: known.seen for name, known in sorted(self._known.items())}

    async def run(self) -> None:
        """Ask until cancelled; a failure is shown, and asked again."""
        loop = asyncio.get_running_loop()
        try:
            while True:
                try:
                    self.take(*await loop.run_in_executor(self._thread, self._look))
                except Exception as error:  # whatever is wrong with the cluster, the page says it
                    self.fail(told(error))
                async with self._news:
                    self._news.notify_all()
                await asyncio.sleep(LOOK_S)
        finally:
            self._thread.shutdown(wait=False, cancel_futures=True)

    def _look(self) -> tuple[Sequence[StatusDocument], Mapping[str, Sequence[Point]]]:
        """Every job, and the past of those that are new here."""
        found = self._jobs.statuses()
        new = [
            each.job
            for each in found
            if each.job not in self._known and each.outcome is None and each.state != "silent"
        ]
        return found, {name: self._past(name) for name in new}

    def _past(self, name: str) -> Sequence[Point]:
        try:
            return self._jobs.history(name)
        except Exception:  # noqa: BLE001 - the past is a gift: without it the lines begin now
            return ()

    async def news(self) -> None:
        """Wait for the next answer, or failure."""
        async with self._news:
            await self._news.wait()

    def take(
        self,
        statuses: Sequence[StatusDocument],
        past: Mapping[str, Sequence[Point]] = MappingProxyType({}),
    ) -> None:
        """An answer came; jobs that are not in it are gone from their cluster.

        Args:
            statuses: Of every job.
            past: What jobs that are new here know of the time before.

        Of several jobs of one name the first counts: orders are given to it, too.
        """
        self.trouble = ""
        now = self._clock()
        first = {status.job: status for status in reversed(statuses)}
        for status in first.values():
            if status.state == "silent":
                self._doubt(status, NO_ANSWER)
            else:
                self._learn(status, now, past.get(status.job, ()))
        for name, known in list(self._known.items()):
            if name not in first:
                known.seen = _gone(known.seen, "it is gone from its Ray cluster")
                if known.seen.heard_ms < now - FORGET_MS:
                    del self._known[name]

    def fail(self, trouble: str) -> None:
        """No answer came."""
        self.trouble = trouble
        for known in self._known.values():
            known.seen = _gone(known.seen, trouble)

    def _doubt(self, status: StatusDocument, trouble: str) -> None:
        known = self._known.setdefault(status.job, _Known(Seen(status)))
        known.seen = _gone(known.seen, trouble)

    def _learn(self, status: StatusDocument, now: int, past: Sequence[Point]) -> None:
        known = self._known.get(status.job)
        if known is None or known.seen.status.run not in {"", status.run}:
            known = self._known[status.job] = _Known(Seen(status), History(past))
        elif _stands_still(known.seen.status, status):
            now = known.seen.heard_ms
        known.history.add(status)
        known.earlier.append(status)
        while known.earlier[0].at_ms < status.at_ms - RATES_OVER_MS and len(known.earlier) > 2:
            known.earlier.popleft()
        before = known.earlier[0] if len(known.earlier) > 1 else None
        known.seen = Seen(status, before, now, history=known.history.points)


def _stands_still(before: StatusDocument, now: StatusDocument) -> bool:
    """A process answers for the job, but with the same document as before."""
    return now.outcome is None and now.at_ms > 0 and now.at_ms == before.at_ms


def _gone(seen: Seen, trouble: str) -> Seen:
    return Seen(seen.status, seen.before, seen.heard_ms, trouble, seen.history)
