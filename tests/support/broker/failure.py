"""The one error of the test broker."""

from __future__ import annotations

from raystream.errors import RaystreamError


class BrokerError(RaystreamError):
    """The test broker could not be had, started or reached."""
