"""How a job should end."""

from __future__ import annotations

from enum import StrEnum


class StopKind(StrEnum):
    """How a job should end."""

    STOP = "stop"
    """One last commit; closes no window."""
    DRAIN = "drain"
    """Event time to infinity: closes every window; one last commit."""
    CANCEL = "cancel"
    """Immediately, without a last commit."""
