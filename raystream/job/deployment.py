"""What every subtask receives when an attempt is deployed."""

from __future__ import annotations

from raystream.job.context import JobContext
from raystream.job.spec import OpenRequest


def open_requests(context: JobContext) -> tuple[OpenRequest, ...]:
    """One request for each subtask, all with the attempt's channel secret.

    Raises:
        ConfigurationError: the checkpoint does not fit the plan.
    """
    recovered = context.recovered
    assert recovered is not None
    plan = context.spec.plan
    states = context.restore_states(recovered.base, plan) if recovered.base is not None else {}
    key = context.new_key()
    return tuple(
        OpenRequest(
            job=context.spec,
            attempt=context.attempt,
            subtask=subtask,
            store_id=context.store_id,
            restore=states.get(subtask, {}),
            splits=context.spec.splits,
            channel_key=key,
        )
        for subtask in plan.subtasks()
    )
