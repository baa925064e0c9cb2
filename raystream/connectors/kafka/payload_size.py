"""Size of payloads in bytes, at a negligible cost for reading."""

from __future__ import annotations

from collections.abc import Sequence

SAMPLE = 128
"""Maximum number measured: measuring all of 2,000 costs 50 us, one percent of reading them."""


def payload_bytes(values: Sequence[bytes | None]) -> int:
    """Bytes of all payloads, estimated from at most some 250 of them, evenly spread.

    >>> payload_bytes([b"abc", None, b"abcde"]), payload_bytes([b"ab"] * 2000), payload_bytes([])
    (8, 4000, 0)
    """
    if not values:
        return 0
    sample = values[:: max(1, len(values) // SAMPLE)]
    try:
        size = sum(map(len, sample))  # type: ignore[arg-type] # records without value are rare
    except TypeError:
        size = sum(len(value) for value in sample if value is not None)
    return size * len(values) // len(sample)
