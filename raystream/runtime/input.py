"""Input of a task: a gate of channels, or a source."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Protocol

from raystream.checkpoint.barrier import Barrier
from raystream.ids import StepName
from raystream.observe.silence import Silence
from raystream.operators.operator import StepState
from raystream.runtime.element import Element
from raystream.runtime.loading import InputEnded


class Input(Protocol):
    """Elements for a task, in order; a barrier is returned only when it is aligned."""

    def poll(self, most: int) -> Element | InputEnded | None:
        """The next element, or None if nothing is ready. Does one bounded piece of work.

        Args:
            most: Maximum rows that the task processes at once.
        """
        ...

    def port(self) -> int:
        """Input of the first step to which the last batch belongs."""
        ...

    def allow(self, rows: int) -> None:
        """Limit the rows waiting in front of the task from now on."""
        ...

    def deadline(self) -> float | None:
        """Monotonic time before which poll has nothing to do; None: only when woken."""
        ...

    def trigger(self, barrier: Barrier) -> None:
        """Emit this barrier next (sources only)."""
        ...

    def drain(self, *, close_windows: bool) -> None:
        """Stop reading; with close_windows event time goes to infinity (sources only)."""
        ...

    def hear(self, others: int) -> None:
        """The least event time of the other sources of its group, epoch ms (sources only)."""
        ...

    def lowest(self) -> int | None:
        """Its own, as time.alignment.Groups.heard takes it (sources only)."""
        ...

    def dry(self) -> bool:
        """True when everything was read and emitted: only a final barrier is missing."""
        ...

    def snapshot(self, checkpoint: int) -> Mapping[StepName, StepState]:
        """State of the input itself."""
        ...

    def committed(self, checkpoint: int) -> None:
        """Phase two of this checkpoint is done."""
        ...

    def held_back_by(self) -> list[str]:
        """Splits or channels that hold back event time, by name."""
        ...

    def lag(self) -> Mapping[str, int]:
        """Records left to read, per split, where known (sources only)."""
        ...

    def splits(self) -> list[dict[str, Any]]:
        """Position and event time of every split, JSON types (sources only)."""
        ...

    def silent(self) -> Mapping[str, Silence]:
        """Splits that cannot be read for now, with the peer that does not answer (sources only)."""
        ...

    def origin(self, places: Sequence[int]) -> str:
        """Origin of rows of the current batch (data.batch.PLACE); empty: not known."""
        ...

    def align_seconds(self) -> float:
        """How long the channels of the last barrier waited for one another, seconds."""
        ...

    def close(self) -> None:
        """Release everything."""
        ...
