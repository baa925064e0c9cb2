"""How much CPU a subtask reserves: one of every chain shares a slot of 1 CPU (Flink's slots)."""

from __future__ import annotations

import math
from collections.abc import Sequence

_GRAIN = 10_000
"""Ray counts CPUs in ten-thousandths."""

_HALVINGS = 6


def cpu_share(chains: int, new: int, free: Sequence[float]) -> float:
    """CPUs that each of `new` processes reserves.

    Where that does not fit, the shares shrink, and vanish when next to nothing is free: a job runs
    with less, it never waits for a process that cannot be placed.

    Args:
        chains: Chains of the plan: how many subtasks make up a slot.
        new: Processes about to be made.
        free: CPUs that are free on each node that may be used.

    >>> cpu_share(chains=2, new=4, free=[1.0, 1.0]), cpu_share(chains=2, new=4, free=[1.0])
    (0.5, 0.25)
    >>> cpu_share(chains=3, new=2, free=[0.3, 0.1]), cpu_share(chains=3, new=3, free=[0.0])
    (0.0833, 0.0)
    """
    share = 1.0 / max(chains, 1)
    for _ in range(_HALVINGS):
        rounded = math.floor(share * _GRAIN) / _GRAIN
        if sum(math.floor(cpus / rounded + 1e-9) for cpus in free) >= new:
            return rounded
        share /= 2
    return 0.0
