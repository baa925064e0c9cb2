"""How much CPU a subtask reserves: one of every chain shares a slot of 1 CPU (Flink's slots)."""

from __future__ import annotations

import math

_GRAIN = 10_000
"""Ray counts CPUs in ten-thousandths."""


def cpu_share(chains: int, new: int, free: float) -> float:
    """CPUs that each of `new` processes reserves.

    With fewer free CPUs than that the shares shrink, and vanish when nothing is free: a job runs
    with less, it never waits for a process that can not be placed.

    Args:
        chains: Chains of the plan: how many subtasks make up a slot.
        new: Processes about to be made.
        free: CPUs that are free now.

    >>> cpu_share(chains=2, new=4, free=2.0), cpu_share(chains=2, new=4, free=1.0)
    (0.5, 0.25)
    >>> cpu_share(chains=3, new=3, free=0.0)
    0.0
    """
    wanted = 1.0 / max(chains, 1)
    affordable = free / new if new else wanted
    return math.floor(min(wanted, affordable) * _GRAIN) / _GRAIN
