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
        """Whether a batch may be sent now."""
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

    def close(self) -> None:
        """Close this end."""
        ...
