"""What feeds a task: a gate of channels, or a source."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Protocol

from raystream.checkpoint.barrier import Barrier
from raystream.ids import StepName
from raystream.observe.silence import Silence
from raystream.operators.operator import StepState
from raystream.runtime.element import Element


class Input(Protocol):
    """Elements for a task, in order; a barrier comes out only when it is aligned."""

    def poll(self, most: int) -> Element | None:
        """The next element, or None if nothing is ready. Does one bounded piece of work.

        Args:
            most: Rows that the task will work on at once.
        """
        ...

    def port(self) -> int:
        """Which input of the first step the last batch belongs to."""
        ...

    def allow(self, rows: int) -> None:
        """So many rows may wait in front of the task from now on."""
        ...

    def deadline(self) -> float | None:
        """Monotonic time before which poll has nothing to do; None: only when woken."""
        ...

    def trigger(self, barrier: Barrier) -> None:
        """Put this barrier next into the stream (sources only)."""
        ...

    def drain(self, *, close_windows: bool) -> None:
        """Stop reading; with close_windows event time goes to infinity (sources only)."""
        ...

    def dry(self) -> bool:
        """True when everything was read and handed out: only a final barrier is missing."""
        ...

    def snapshot(self, checkpoint: int) -> Mapping[StepName, StepState]:
        """What the input itself must remember."""
        ...

    def committed(self, checkpoint: int) -> None:
        """Phase two of this checkpoint is done."""
        ...

    def held_back_by(self) -> list[str]:
        """Who holds event time back: split or channel names."""
        ...

    def watermark(self) -> int | None:
        """Event time of this input, epoch ms."""
        ...

    def lag(self) -> Mapping[str, int]:
        """Records still to be read, per split, where known (sources only)."""
        ...

    def splits(self) -> list[dict[str, Any]]:
        """Position and event time of every split, JSON types (sources only)."""
        ...

    def silent(self) -> Mapping[str, Silence]:
        """Splits that cannot be read for now, and who does not answer (sources only)."""
        ...

    def origin(self, places: Sequence[int]) -> str:
        """Where rows of the batch in work came from (data.batch.PLACE); empty: not known."""
        ...

    def align_seconds(self) -> float:
        """How long the last barrier's channels waited for one another."""
        ...

    def close(self) -> None:
        """Release everything."""
        ...
