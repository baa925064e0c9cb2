"""What a subtask does about a frozen coordinator: it makes Ray start another one.

Ray does not notice a frozen process. An attached job has a driver that watches; for a detached
one only its subtasks notice, when their leases expire. One of them is enough.
"""

from __future__ import annotations

from typing import Any

import ray

NAMESPACE = "raystream"
"""Ray namespace of the coordinators of all jobs of a cluster."""

_ANSWER_SECONDS = 5.0

_get: Any = ray.get


def replace_if_frozen(job: str) -> bool:
    """End the coordinator of a job if it does not answer; Ray starts another, which recovers.

    Blocks for at most 5 s. A coordinator that is alive, dead or being restarted is left alone.

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
