"""Parse record batch headers of a log, for what a consumer cannot report (KIP-98)."""

from __future__ import annotations

from struct import Struct

_START = Struct(">qiiB")
"""Base offset, length of what follows, leader epoch (older formats: checksum), magic."""

_LAST_DELTA = Struct(">i")
_LAST_DELTA_AT = 23
_BEFORE_LENGTH_COUNTS = 12
_LEAST = (14, 22, 49)
"""Shortest length of a record of format 0 and 1, and of a batch of format 2."""


def first_damage(data: bytes, offset: int) -> tuple[int, str] | None:
    """Find the first batch that no consumer can read, and what is wrong with it.

    A batch cut off at the end of the answer is complete in the log, except the first: brokers send
    that one whole, however long it is (KIP-74).

    Args:
        data: A broker's answer to a fetch, starting with the batch that holds `offset`.
        offset: The requested offset.

    >>> first_damage(bytes(80), 7)
    (7, 'its length is 0')
    """
    at = 0
    while len(data) - at >= _START.size:
        base, length, _, magic = _START.unpack_from(data, at)
        wrong = _wrong(length, magic)
        end = at + _BEFORE_LENGTH_COUNTS + length
        if wrong is None and end > len(data) and at == 0:
            wrong = f"it claims {length} bytes, of which the log holds {len(data)}"
        if wrong is not None:
            return offset, wrong
        if end > len(data):
            return None
        offset = max(offset, _behind(data, at, base, magic))
        at = end
    return None


def _wrong(length: int, magic: int) -> str | None:
    if magic >= len(_LEAST):
        return f"its format is {magic}"
    return f"its length is {length}" if length < _LEAST[magic] else None


def _behind(data: bytes, at: int, base: int, magic: int) -> int:
    """Offset after a batch; a record of an old format may contain others."""
    delta = _LAST_DELTA.unpack_from(data, at + _LAST_DELTA_AT)[0] if magic == 2 else 0
    return int(base + delta + 1)
