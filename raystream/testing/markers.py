"""What may stand between the rows given to `feed`: EOF, CRASH, PAUSE, ADVANCE."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum

from raystream.units import Duration, seconds


class Marker(Enum):
    """A marker without a number."""

    EOF = "EOF"
    CRASH = "CRASH"
    PAUSE = "PAUSE"


EOF = Marker.EOF
"""The run ends here, with all windows closed; the rows behind are for the next run of the job."""

CRASH = Marker.CRASH
"""The process dies when the source comes here, whatever else is under way, and is started anew."""

PAUSE = Marker.PAUSE
"""No row comes until all before were processed and a checkpoint has committed."""


@dataclass(frozen=True, slots=True)
class Advance:
    """No row comes until all before were processed and this much time has passed."""

    seconds: float


def ADVANCE(duration: Duration) -> Advance:  # noqa: N802 - a marker, written like the others
    """Time passes: idle timeouts, early results, checkpoints.

    Args:
        duration: `"1m"`, or a timedelta.

    >>> ADVANCE("1m")
    Advance(seconds=60.0)
    """
    return Advance(seconds(duration, "ADVANCE"))
