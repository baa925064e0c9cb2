"""A channel: FIFO; a break fails the attempt; credit only for batches."""

from __future__ import annotations

from typing import Protocol

from raystream.errors import RaystreamError
from raystream.runtime.element import Element


class ChannelBroken(RaystreamError):  # noqa: N818 - the field's word
    """The other end is gone: this attempt has failed (never a silent reconnect)."""


class ChannelWriter(Protocol):
    """The sending end. Called by the processing thread only; never blocks."""

    def send(self, element: Element) -> None:
        """Send; watermarks and barriers need no credit.

        Raises:
            ChannelBroken: the receiver is gone.
        """
        ...

    def has_credit(self) -> bool:
        """Whether rows may be sent now."""
        ...

    def free_rows(self) -> int:
        """How many rows may be sent now; a batch of more is to be cut."""
        ...

    def portion(self) -> int:
        """How many of rows that others could take as well are to be sent at once; 0: none now."""
        ...

    def load(self) -> float:
        """The part of the credit that is spent, 0..1 or more."""
        ...

    def close(self) -> None:
        """Close this end."""
        ...


class ChannelReader(Protocol):
    """The receiving end. Called by the processing thread only; never blocks."""

    def poll(self) -> Element | None:
        """The next element, or None.

        Raises:
            ChannelBroken: the sender is gone (after everything it sent was read).
        """
        ...

    def worked(self, rows: int) -> None:
        """So many rows of what was polled are worked on now: the sender may send as many more."""
        ...

    def allow(self, rows: int) -> None:
        """So many rows may be in flight from now on."""
        ...

    def close(self) -> None:
        """Close this end."""
        ...
