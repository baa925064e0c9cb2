"""When a failed attempt is retried, and when the job ends instead."""

from __future__ import annotations

from dataclasses import dataclass

from raystream.graph.policies import RestartStrategy
from raystream.job.messages import Failure

SETTLED_S = 5.0
"""A failure this long after the last one, with a checkpoint completed in between, is a first one:
an immediate restart for each such failure is at most one in this time, and each brings output."""

DETERMINISTIC = frozenset({"user", "data", "engine"})
"""Faults that a restart does not fix: they recur at the same step."""


@dataclass(frozen=True, slots=True)
class GiveUp:
    """The fault recurred: the job ends."""

    reason: str


class RestartPolicy:
    """Exponential delay (Flink's `exponential-delay`), without limit for infrastructure faults.

    The first restart after a calm time is immediate, later ones wait `initial`, 2 x, 4 x ..
    `maximum` seconds. A completed checkpoint is progress: the delay starts again at `initial`, and
    once SETTLED_S have passed since the failure the next restart is immediate again.
    A fault of user code or data ends the job when it recurs at the same step and the sources have
    not read on in between (an empty checkpoint proves nothing), or when it names the same record:
    other partitions may well have read on. A record that is known by its content only is the same
    for `reset_after`.

    >>> policy, died = RestartPolicy(RestartStrategy(1, 120, 600)), Failure("died", "killed")
    >>> [policy.failed(died, now) for now in (0, 10, 20, 30)]
    [0.0, 1.0, 2.0, 4.0]
    >>> policy.completed(); policy.failed(died, 36)
    0.0
    """

    def __init__(self, strategy: RestartStrategy) -> None:
        self._strategy = strategy
        self._last_failure: float | None = None
        self._streak = 0
        self._progress = False
        self._fault: tuple[str, str] | None = None
        self._record = ""
        self._recorded = 0.0

    def failed(self, cause: Failure, now: float) -> float | GiveUp:
        """Record that an attempt failed.

        Args:
            cause: Its first cause.
            now: Monotonic seconds.

        Returns:
            Seconds to wait before the next attempt, or GiveUp.
        """
        if cause.kind in DETERMINISTIC:
            fault = (cause.kind, cause.step or cause.where or cause.message)
            if fault == self._fault:
                return GiveUp("it came back after a restart, with nothing new read in between")
            if self._same_record(cause, now):
                return GiveUp("the same record failed again after a restart")
            self._fault, self._record, self._recorded = fault, _record(cause), now
        return self._delay(now)

    def _same_record(self, cause: Failure, now: float) -> bool:
        if not self._record or _record(cause) != self._record:
            return False
        return cause.kind == "data" or now - self._recorded <= self._strategy.reset_after

    def completed(self, *, read_on: bool = True) -> None:
        """Record that a checkpoint completed.

        Args:
            read_on: The sources have read on since the one before.
        """
        if read_on:
            self._fault = None
        self._streak = min(self._streak, 1)
        self._progress = True

    def _delay(self, now: float) -> float:
        if self._calm(now):
            self._streak = 0
        self._last_failure, self._progress = now, False
        self._streak += 1
        if self._streak == 1:
            return 0.0
        doublings = min(self._streak - 2, 30)
        return float(min(self._strategy.initial * 2**doublings, self._strategy.maximum))

    def _calm(self, now: float) -> bool:
        if self._last_failure is None:
            return True
        calm = SETTLED_S if self._progress else self._strategy.reset_after
        return now - self._last_failure > min(calm, self._strategy.reset_after)


def _record(cause: Failure) -> str:
    """What tells one record from others: a data fault's message names it."""
    return cause.message if cause.kind == "data" else cause.record
