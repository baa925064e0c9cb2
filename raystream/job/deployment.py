"""What every subtask receives when an attempt is deployed."""

from __future__ import annotations

from raystream.job.life import Life
from raystream.job.spec import OpenRequest


def open_requests(life: Life) -> tuple[OpenRequest, ...]:
    """One request for each subtask, all with the attempt's channel secret.

    Raises:
        ConfigurationError: the checkpoint does not fit the plan.
    """
    recovered = life.recovered
    assert recovered is not None
    plan = life.spec.plan
    states = life.restore_states(recovered.base, plan) if recovered.base is not None else {}
    key = life.new_key()
    return tuple(
        OpenRequest(
            job=life.spec,
            attempt=life.attempt,
            subtask=subtask,
            store_id=life.store_id,
            restore=states.get(subtask, {}),
            splits=life.spec.splits,
            channel_key=key,
        )
        for subtask in plan.subtasks()
    )
