"""A job that can be asked, wherever it runs."""

from __future__ import annotations

from typing import Any, Protocol

from raystream.errors import RaystreamError

LOOK_S = 0.2
"""Pause between two looks at an answer: so long an interrupt may have to wait."""

PATIENCE_S = 60.0
"""So long a coordinator may be silent: Ray starts another one when its process died."""


class Gone(RaystreamError):
    """The coordinator ended, and with it all it knew; its job may have a newer run."""


class Asked(Protocol):
    """One run of a job.

    Attributes:
        name: Of the job.
    """

    name: str

    def ask(self, method: str, *arguments: Any, patience: float = PATIENCE_S) -> Any:
        """What its coordinator answers. Waits as long as it works on it.

        Args:
            method: Of the coordinator's actor.
            arguments: Its arguments.
            patience: Seconds for which its process may be away.

        Raises:
            RaystreamError: what the method raised.
            Gone: there is no coordinator any more.
        """
        ...
