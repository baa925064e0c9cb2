"""CPUs that a subtask reserves: one of every chain shares a slot of 1 CPU (Flink's slots)."""

from __future__ import annotations

import math
from collections.abc import Sequence

_GRAIN = 10_000
"""Ray counts CPUs in ten-thousandths."""

_HALVINGS = 6


def cpu_share(chains: int, new: int, free: Sequence[float]) -> float:
    """CPUs that each of `new` processes reserves.

    If that does not fit, the shares shrink, down to zero when almost nothing is free: a job runs
    with less rather than wait for a process that cannot be placed.

    Args:
        chains: Number of chains of the plan: that many subtasks make up a slot.
        new: Processes about to be created.
        free: Free CPUs of each usable node.

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
