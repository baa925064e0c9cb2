"""Detect silent subtasks from pings: Ray does not notice a frozen process or node."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from raystream.ids import SubtaskId

START_LIMIT_S = 60.0
START_LIMIT_PER_SUBTASK_S = 3.0
"""A new actor costs 0.7 CPU-s and two start at a time; a busy machine takes several times that."""

MOST_PATIENCE = 8
"""Times as long for the subtasks of an attempt after some that did not all open, at most; a machine
that was too busy once stays under suspicion."""

LONGEST_PING_INTERVAL_S = 1.0

ALIGNED_PING_INTERVAL_S = 0.5
"""Half of the interval in which Flink's sources hear of one another."""


class Liveness:
    """Record when each subtask last answered.

    While opening, a subtask has a start limit that grows with the number of subtasks, and after an
    attempt in which not all opened; once open, it must answer a ping within `timeout`. If the
    coordinator itself was frozen, every subtask gets the full time again, because it cannot tell
    which was silent meanwhile.

    Args:
        timeout: Seconds without an answer after which a subtask is silent.

    >>> liveness, counter = Liveness(timeout=2), SubtaskId("counts", 0)
    >>> liveness.watch([counter], now=0); liveness.opened(counter, now=1)
    >>> for now in (1.5, 2, 2.5, 3): liveness.tick(now)
    >>> liveness.silent(2.9), liveness.silent(3.1)
    ((), (SubtaskId(chain='counts', index=0),))
    """

    def __init__(self, timeout: float) -> None:
        self._timeout = timeout
        self.ping_interval = min(LONGEST_PING_INTERVAL_S, timeout / 5)
        self._heard: dict[SubtaskId, float] = {}
        self._opening: set[SubtaskId] = set()
        self._start_limit = START_LIMIT_S
        self._patience = 1
        self._last_tick: float | None = None
        self._last_ping = float("-inf")

    def often(self) -> None:
        """Ping more often: what sources that wait for one another hear travels with it."""
        self.ping_interval = min(self.ping_interval, ALIGNED_PING_INTERVAL_S)

    def watch(self, subtasks: Iterable[SubtaskId], now: float) -> None:
        """Watch these subtasks, which are being opened for a new attempt, and no earlier ones."""
        if self._opening:
            self._patience = min(2 * self._patience, MOST_PATIENCE)
        self._heard = dict.fromkeys(subtasks, now)
        self._opening = set(self._heard)
        limit = START_LIMIT_S + START_LIMIT_PER_SUBTASK_S * len(self._heard)
        self._start_limit = limit * self._patience

    def opened(self, subtask: SubtaskId, now: float) -> None:
        """Record that a subtask is open: from now on it must answer."""
        self._opening.discard(subtask)
        self._heard[subtask] = now

    def pong(self, subtask: SubtaskId, now: float) -> None:
        """Record an answer (a survivor that is being reset answers too, and stays `opening`)."""
        if subtask in self._heard and subtask not in self._opening:
            self._heard[subtask] = now

    def tick(self, now: float) -> None:
        """Advance the time; restart all limits if we ourselves were frozen."""
        if self._last_tick is not None and now - self._last_tick > self._timeout / 2:
            self._heard = dict.fromkeys(self._heard, now)
        self._last_tick = now

    def ping_due(self, now: float) -> bool:
        """Whether a ping is due; True once per ping interval."""
        if now - self._last_ping < self.ping_interval:
            return False
        self._last_ping = now
        return True

    def due(self) -> float:
        """When a tick is needed, monotonic s: a ping, a limit, or a sign that we are not frozen."""
        ticked = self._last_tick
        soon = float("-inf") if ticked is None else ticked + self._timeout / 4
        limits = (heard + self.limit(subtask) for subtask, heard in self._heard.items())
        return min(soon, self._last_ping + self.ping_interval, min(limits, default=soon))

    def silent(self, now: float) -> tuple[SubtaskId, ...]:
        """Subtasks over their limit, sorted."""
        late = (s for s, heard in self._heard.items() if now - heard > self.limit(s))
        return tuple(sorted(late))

    def limit(self, subtask: SubtaskId) -> float:
        """Seconds that this subtask may be silent."""
        return self._start_limit if subtask in self._opening else self._timeout

    def is_opening(self, subtask: SubtaskId) -> bool:
        """Whether the subtask is not open yet."""
        return subtask in self._opening

    def answering(self, now: float) -> frozenset[SubtaskId]:
        """Open subtasks that answered within the last three pings."""
        recent = now - 3 * self.ping_interval
        return frozenset(
            s for s, heard in self._heard.items() if heard >= recent and s not in self._opening
        )


def suspects(
    lost: Iterable[SubtaskId], answering: Iterable[SubtaskId], nodes: Mapping[SubtaskId, str]
) -> frozenset[str]:
    """Nodes where a subtask was lost and no other one answers: place nothing there.

    Args:
        lost: Subtasks that died or are silent.
        answering: Subtasks that answered recently.
        nodes: Node of each subtask (missing or empty: unknown).
    """
    answered = set(answering) - set(lost)
    healthy = {nodes.get(subtask, "") for subtask in answered}
    return frozenset({nodes.get(subtask, "") for subtask in lost} - healthy - {""})
