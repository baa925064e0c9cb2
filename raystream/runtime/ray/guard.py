"""What a subtask does for a coordinator that is frozen: it asks Ray for another one.

Ray does not see a process that stands still. An attached job has a driver that looks; of a
detached one the only witnesses are its subtasks, whose leases run out. One of them is enough.
"""

from __future__ import annotations

from typing import Any

import ray

NAMESPACE = "raystream"
"""Where the coordinators of all jobs of a cluster have their names."""

_ANSWER_SECONDS = 5.0

_get: Any = ray.get


def replace_if_frozen(job: str) -> bool:
    """End the coordinator of a job if it does not answer; Ray makes another, which recovers.

    Blocks for 5 s at most. A coordinator that is alive, dead or being restarted is left alone.

    Args:
        job: Name of the job.

    Returns:
        Whether it was ended.
    """
    try:
        coordinator: Any = ray.get_actor(job, namespace=NAMESPACE)
        _get(coordinator.outcome.remote(), timeout=_ANSWER_SECONDS)
    except ray.exceptions.GetTimeoutError:
        ray.kill(coordinator, no_restart=False)
        return True
    except (ValueError, ray.exceptions.RayError):
        return False
    return False
