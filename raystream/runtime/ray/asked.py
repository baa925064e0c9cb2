"""Interface of a running job that answers questions, wherever it runs."""

from __future__ import annotations

from typing import Any, Protocol

from raystream.errors import RaystreamError

LOOK_S = 0.2
"""Pause between two checks for an answer, seconds: an interrupt may be delayed this long."""

PATIENCE_S = 60.0
"""How long a coordinator may be silent, seconds: Ray starts another when its process died."""


class Gone(RaystreamError):
    """The coordinator ended with all that it knew; the job may have a newer run."""


class Asked(Protocol):
    """One run of a job.

    Attributes:
        name: Name of the job.
    """

    name: str

    def ask(self, method: str, *arguments: Any, patience: float = PATIENCE_S) -> Any:
        """Call a method of its coordinator and return the answer. Waits while it works on it.

        Args:
            method: Method of the coordinator's actor.
            arguments: Its arguments.
            patience: Seconds for which the coordinator's process may be away.

        Raises:
            RaystreamError: raised by the method.
            Gone: there is no coordinator any more.
        """
        ...
