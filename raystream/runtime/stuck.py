"""Notice a function of the user that does not return, from another thread."""

from __future__ import annotations

import sys

from raystream.ids import SubtaskId
from raystream.observe.stuck import STUCK_S, StuckFunction
from raystream.operators.user_code import running_line


def stuck_in(subtask: SubtaskId, thread: int | None, seconds: float) -> StuckFunction | None:
    """The function of the user in which a thread is, if it has worked for long without a pause.

    Args:
        subtask: For the report.
        thread: Identifier of its processing thread.
        seconds: For how long it has worked on one batch.
    """
    if thread is None or seconds < STUCK_S:
        return None
    frame = sys._current_frames().get(thread)
    found = None if frame is None else running_line(frame)
    return None if found is None else StuckFunction(str(subtask), *found, round(seconds, 1))
