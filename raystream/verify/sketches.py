"""Quantiles and numbers of distinct values as the sketches give them, in plain Python."""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Sequence
from struct import pack, unpack
from typing import Any

from raystream.errors import ConfigurationError

_BASE = 1.01 / 0.99
_WORD = 2**64
_STEP = 0x9E3779B97F4A7C15
_FACTOR = 0xD6E8FEB86659FD93


def quantile(values: Sequence[Any], q: float) -> float | None:
    """Of DDSketch with an accuracy of 1 %; the value of a bucket that has only one."""
    if not values:
        return None
    buckets: dict[tuple[float, float], list[float]] = defaultdict(list)
    for value in map(float, values):
        buckets[_bucket(value)].append(value)
    place, count = math.floor(q * (len(values) - 1)), 0
    for bucket in sorted(buckets):
        inside = buckets[bucket]
        count += len(inside)
        if count > place:
            low, high = min(inside), max(inside)
            return low if low == high or math.isnan(low) else _middle(bucket, low, high)
    return None


def _bucket(value: float) -> tuple[float, float]:
    """Order of the kinds of values, and the place within."""
    if math.isnan(value) or value == 0 or math.isinf(value):
        return (4.0 if math.isnan(value) else 3 * math.copysign(1, value) if value else 0.0, 0.0)
    power = math.ceil(math.log(abs(value)) / math.log(_BASE))
    return (math.copysign(1, value), math.copysign(power, value * power) if power else 0.0)


def _middle(bucket: tuple[float, float], low: float, high: float) -> float:
    sign, power = bucket
    middle = sign * (2 / (_BASE + 1)) * math.pow(_BASE, power * sign)
    return float(min(max(middle, low), high))


def distinct(values: Sequence[Any]) -> int:
    """Of HyperLogLog with 2^14 registers."""
    registers: dict[int, int] = {}
    for value in values:
        hashed = _hashed(value)
        register, rest = hashed >> 50, hashed & (2**50 - 1)
        registers[register] = max(registers.get(register, 0), 51 - rest.bit_length())
    if not registers:
        return 0
    size = 2**14
    below = math.fsum(2.0**-zeros for zeros in registers.values())
    x = (size - len(registers)) / size
    sigma, weight, before = x, 1.0, -1.0
    while sigma != before:
        x, before = x * x, sigma
        sigma, weight = sigma + x * weight, weight * 2
    return round(size * size / (2 * math.log(2) * (below + size * sigma)))


def _hashed(value: Any) -> int:
    match value:
        case bool() | int():
            return _mixed(int(value) % _WORD)
        case float():
            odd = value != value  # noqa: PLR0124 - only NaN is not itself
            clean = math.nan if odd else 0.0 if value == 0 else value
            return _mixed(unpack("<Q", pack("<d", clean))[0])
        case str() | bytes():
            text = value.encode() if isinstance(value, str) else value
            total = sum((byte + 1) * pow(_FACTOR, n, _WORD) for n, byte in enumerate(text))
            return _mixed((total + len(text) * _STEP) % _WORD)
    what = f"an approximate number of {type(value).__name__} is not evaluated"
    raise ConfigurationError(what)


def _mixed(word: int) -> int:
    word = (word + _STEP) % _WORD
    word = (word ^ (word >> 30)) * 0xBF58476D1CE4E5B9 % _WORD
    word = (word ^ (word >> 27)) * 0x94D049BB133111EB % _WORD
    return word ^ (word >> 31)
