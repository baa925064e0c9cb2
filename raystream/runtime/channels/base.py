"""Interface of a channel: FIFO; a break fails the attempt; only batches need credit."""

from __future__ import annotations

from typing import Protocol

from raystream.errors import RaystreamError
from raystream.runtime.element import Element


class ChannelBroken(RaystreamError):  # noqa: N818 - the field's word
    """The other end is gone: this attempt has failed (channels never reconnect silently)."""


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
        """Number of rows that may be sent now; a larger batch must be split."""
        ...

    def portion(self) -> int:
        """Number of rows to send at once where other channels could take them too; 0: none now."""
        ...

    def load(self) -> float:
        """Fraction of the credit in use, 0..1 or more."""
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
        """Return credit for this many polled rows, now being processed."""
        ...

    def allow(self, rows: int) -> None:
        """Limit the rows in flight to this number from now on."""
        ...

    def close(self) -> None:
        """Close this end."""
        ...
