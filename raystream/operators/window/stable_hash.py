"""A hash of values that is the same in every version of Polars: sketches keep what it gave."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import polars as pl

Hashes = npt.NDArray[np.uint64]

_STEP = np.uint64(0x9E3779B97F4A7C15)
_FACTOR = 0xD6E8FEB86659FD93
_ROWS = 4096


def stable_hashes(values: pl.Series) -> Hashes:
    """u64[n]: hash of each value; NaN is one value, 0.0 and -0.0 are one.

    Args:
        values: Without nulls; numbers, booleans, texts, bytes, times, or categories.

    >>> stable_hashes(pl.Series(["a", "b", "a"])).tolist()[::2]
    [15921256332710060186, 15921256332710060186]
    """
    dtype = values.dtype
    if isinstance(dtype, pl.Categorical | pl.Enum | pl.String):
        return _of_bytes(values.cast(pl.String).cast(pl.Binary))
    if isinstance(dtype, pl.Binary):
        return _of_bytes(values)
    if dtype.is_float():
        floats = values.cast(pl.Float64).to_numpy().copy()
        floats[floats == 0] = 0.0  # not -0.0; Polars leaves out an addition of 0
        floats[np.isnan(floats)] = np.nan
        return _mixed(floats.view(np.uint64))
    whole = values.cast(pl.UInt8) if dtype == pl.Boolean else values.to_physical()
    if whole.dtype == pl.UInt64:
        return _mixed(whole.to_numpy())
    if whole.dtype in (pl.Int128, pl.UInt128):
        return _of_128_bits(whole)
    return _mixed(whole.cast(pl.Int64).to_numpy().view(np.uint64))


def _of_128_bits(values: pl.Series) -> Hashes:
    half = pl.lit(2**64, values.dtype)
    value = pl.col("value")
    high = pl.UInt64 if values.dtype == pl.UInt128 else pl.Int64
    halves = (
        values.alias("value")
        .to_frame()
        .select(
            (value % half).cast(pl.UInt64).alias("low"), (value // half).cast(high).alias("high")
        )
    )
    low, high_ = halves["low"].to_numpy(), halves["high"].to_numpy()
    return _mixed(_mixed(high_.view(np.uint64)) + low)


def _of_bytes(values: pl.Series) -> Hashes:
    """Some rows at a time: their bytes stay in the cache."""
    parts = [_polynomials(values[first : first + _ROWS]) for first in range(0, len(values), _ROWS)]
    return np.concatenate(parts) if parts else np.zeros(0, np.uint64)


def _polynomials(values: pl.Series) -> Hashes:
    """A polynomial of the bytes of each value, and its length."""
    sizes = values.bin.size().cast(pl.Int64).to_numpy()
    text = np.frombuffer(b"".join(values.to_list()), np.uint8)
    starts = np.cumsum(sizes) - sizes
    found = np.zeros(len(sizes), np.uint64)
    filled = sizes > 0
    if len(text):
        places = np.arange(len(text)) - np.repeat(starts, sizes)
        terms = (text.astype(np.uint64) + np.uint64(1)) * _powers(int(sizes.max()))[places]
        found[filled] = np.add.reduceat(terms, starts[filled])
    return _mixed(found + sizes.astype(np.uint64) * _STEP)


def _powers(number: int) -> Hashes:
    """u64[number]: powers of an odd number, modulo 2^64."""
    factors = np.full(number, _FACTOR, np.uint64)
    factors[:1] = 1
    found: Hashes = np.multiply.accumulate(factors)
    return found


def _mixed(words: Hashes) -> Hashes:
    """The finish of splitmix64: every bit of a word changes every bit of the hash."""
    found = words + _STEP
    found = (found ^ (found >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    found = (found ^ (found >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    result: Hashes = found ^ (found >> np.uint64(31))
    return result
