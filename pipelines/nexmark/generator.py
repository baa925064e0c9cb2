"""Events of Nexmark in columns, after the benchmark's published rules (nexmark/nexmark, Beam).

Of 50 events the first is a person, three are auctions, the rest bids. Half of the bids go to the
hot auction and three quarters come from the hot bidder of the moment. Prices are exponential,
channels and their urls come from a pool. Every event depends on its number alone, so that any part
of the stream is made anew after a restart.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import cache

import numpy as np
import polars as pl
from numpy.typing import NDArray

Numbers = NDArray[np.int64]

START_MS = 1_773_100_800_000
"""Event time of the first event: 2026-03-10 00:00 UTC."""

EPOCH = 50
"""Events in which each kind comes in its proportion."""

OF_EPOCH: Mapping[str, tuple[int, int]] = {"person": (0, 1), "auction": (1, 3), "bid": (4, 46)}
"""First place within an epoch, and how many events of it."""

FIRST_ID, FIRST_CATEGORY = 1000, 10
HOT_EVERY = 100
"""The hot auction, seller and bidder is the last whose id is a multiple of this."""

ACTIVE_PEOPLE, IN_FLIGHT, LEAD = 1000, 100, 10
POOL = 10_000
"""Texts of which each event takes one, and channels."""

STATES = ("AZ", "CA", "ID", "OR", "WA", "WY")
CITIES = (
    *("Phoenix", "Los Angeles", "San Francisco", "Boise", "Portland", "Bend", "Redmond"),
    *("Seattle", "Kent", "Cheyenne"),
)
FIRST_NAMES = tuple("Peter,Paul,Luke,John,Saul,Vicky,Kate,Julie,Sarah,Deiter,Walter".split(","))
LAST_NAMES = tuple("Shultz,Abrams,Spencer,White,Bartels,Walton,Smith,Jones,Noris".split(","))


class Generator:
    """The stream at a rate of event time.

    Args:
        per_second: Events per second of event time.
    """

    def __init__(self, per_second: int = 10_000) -> None:
        self._per_second = per_second
        self._channels: tuple[Numbers, Numbers] | None = None

    def frame(self, kind: str, epochs: Numbers, columns: Mapping[str, pl.DataType]) -> pl.DataFrame:
        """Events of one kind, only with these columns.

        Args:
            kind: `person`, `auction` or `bid`.
            epochs: Numbers of epochs, rising.
            columns: Names, and types as declared.
        """
        first, count = OF_EPOCH[kind]
        numbers = (epochs[:, None] * EPOCH + first + np.arange(count)).ravel()
        makers = _MAKERS[kind]
        return pl.DataFrame({name: makers[name](self, numbers) for name in columns})

    def time(self, numbers: Numbers) -> Numbers:
        """Event time, epoch ms."""
        return START_MS + numbers * 1000 // self._per_second

    def channel(self, numbers: Numbers) -> Numbers:
        """Numbers of channels; name and url of a bid are of the same one."""
        if self._channels is None or self._channels[0] is not numbers:
            self._channels = numbers, _channel(numbers)
        return self._channels[1]

    def expires(self, numbers: Numbers) -> Numbers:
        """When auctions end: about when as many as are in flight have begun."""
        horizon = IN_FLIGHT * EPOCH // 3 * 1000 // self._per_second
        return self.time(numbers) + 1 + _below(numbers, 1, max(2 * horizon, 1))


def _bits(numbers: Numbers, salt: int) -> NDArray[np.uint64]:
    """64 random bits for each number (SplitMix64)."""
    z = numbers.astype(np.uint64) * np.uint64(0x9E3779B97F4A7C15)
    z += np.uint64(salt * 0xD1342543DE82EF95 % 2**64)
    z ^= z >> np.uint64(30)
    z *= np.uint64(0xBF58476D1CE4E5B9)
    z ^= z >> np.uint64(27)
    z *= np.uint64(0x94D049BB133111EB)
    z ^= z >> np.uint64(31)
    return z


def _below(numbers: Numbers, salt: int, limit: int | Numbers) -> Numbers:
    """Random whole numbers from 0 to below the limit."""
    some = _bits(numbers, salt)
    some >>= np.uint64(1)
    if not isinstance(limit, int):
        if limit.min() != limit.max():
            return some.view(np.int64) % limit
        limit = int(limit[0])
    some -= some // np.uint64(limit) * np.uint64(limit)  # by products; `%` would divide each
    return some.view(np.int64)


def _last_person(numbers: Numbers) -> Numbers:
    """Number of the last person before an event, from 0."""
    return numbers // EPOCH


def _last_auction(numbers: Numbers) -> Numbers:
    """Number of the last auction before an event, from 0."""
    epochs = numbers // EPOCH
    return epochs * 3 + np.clip(numbers - epochs * EPOCH - 1, 0, 2)


def _person(numbers: Numbers, salt: int, hot: int) -> Numbers:
    """An id of a person: in three of four events the hot one, `hot` behind a multiple."""
    last = _last_person(numbers)
    active = np.minimum(last, ACTIVE_PEOPLE)
    cold = last - active + _below(numbers, salt, active + LEAD)
    is_hot = _below(numbers, salt + 1, 4) > 0
    return FIRST_ID + np.where(is_hot, last // HOT_EVERY * HOT_EVERY + hot, cold)


def _auction(numbers: Numbers) -> Numbers:
    """An id of an auction that a bid goes to: in every second event the hot one."""
    last = _last_auction(numbers)
    least = np.maximum(last - IN_FLIGHT, 0)
    cold = least + _below(numbers, 11, last - least + 1 + LEAD)
    is_hot = _below(numbers, 12, 2) > 0
    return FIRST_ID + np.where(is_hot, last // HOT_EVERY * HOT_EVERY, cold)


def _price(numbers: Numbers, salt: int) -> Numbers:
    part = (_bits(numbers, salt) >> np.uint64(11)).astype(np.float64) / 2.0**53
    return np.rint(10.0 ** (part * 6) * 100).astype(np.int64)


@cache
def _letters(length: int) -> pl.Series:
    """A pool of texts of random letters."""
    random = np.random.default_rng(length)
    letters = random.integers(ord("a"), ord("z") + 1, (POOL, length), dtype=np.uint8)
    return pl.Series([row.tobytes().decode() for row in letters])


def _text(length: int, salt: int) -> Callable[[Generator, Numbers], pl.Series]:
    return lambda _, numbers: _letters(length).gather(_below(numbers, salt, POOL))


def _one_of(names: tuple[str, ...], salt: int) -> Callable[[Generator, Numbers], pl.Series]:
    return lambda _, numbers: pl.Series(names).gather(_below(numbers, salt, len(names)))


def _name(_: Generator, numbers: Numbers) -> pl.Series:
    whole = pl.Series([f"{first} {last}" for first in FIRST_NAMES for last in LAST_NAMES])
    return whole.gather(_below(numbers, 21, len(whole)))


@cache
def _channels() -> tuple[pl.Series, pl.Series]:
    """Names and urls; the first four are hot, nine of ten of the others have a channel id."""
    parts = [pl.Series(_letters(15)).str.slice(start, 5) for start in (0, 5, 10)]
    urls = pl.Series(
        f"https://www.nexmark.com/{a}/{b}/{c}/item.htm?query=1"
        for a, b, c in zip(*parts, strict=True)
    )
    ids = [f"&channel_id={n * 48271 % 2147483647}" if n % 10 else "" for n in range(POOL)]
    names = ["Google", "Facebook", "Baidu", "Apple", *(f"channel-{n}" for n in range(4, POOL))]
    return pl.Series(names), urls + pl.Series(["", "", "", "", *ids[4:]])


def _channel(numbers: Numbers) -> Numbers:
    is_hot = _below(numbers, 13, 2) > 0
    return np.where(is_hot, _below(numbers, 14, 4), _below(numbers, 15, POOL))


def _card(_: Generator, numbers: Numbers) -> pl.Series:
    digits = pl.Series(_below(numbers, 22, 10**16)).cast(pl.String).str.zfill(16)
    fours = [digits.str.slice(first, 4) for first in (0, 4, 8, 12)]
    return pl.select(pl.concat_str(fours, separator=" ")).to_series()


_MAKERS: Mapping[str, Mapping[str, Callable[[Generator, Numbers], pl.Series | Numbers]]] = {
    "person": {
        "id": lambda _, n: FIRST_ID + _last_person(n),
        "name": _name,
        "emailAddress": lambda _, n: _letters(7).gather(_below(n, 23, POOL)) + "@example.com",
        "creditCard": _card,
        "city": _one_of(CITIES, 24),
        "state": _one_of(STATES, 25),
        "dateTime": Generator.time,
        "extra": _text(100, 26),
    },
    "auction": {
        "id": lambda _, n: FIRST_ID + _last_auction(n),
        "itemName": _text(20, 31),
        "description": _text(100, 32),
        "initialBid": lambda _, n: _price(n, 33),
        "reserve": lambda _, n: _price(n, 33) + _price(n, 34),
        "dateTime": Generator.time,
        "expires": Generator.expires,
        "seller": lambda _, n: _person(n, 35, 0),
        "category": lambda _, n: FIRST_CATEGORY + _below(n, 37, 5),
        "extra": _text(250, 38),
    },
    "bid": {
        "auction": lambda _, n: _auction(n),
        "bidder": lambda _, n: _person(n, 16, 1),
        "price": lambda _, n: _price(n, 18),
        "channel": lambda g, n: _channels()[0].gather(g.channel(n)),
        "url": lambda g, n: _channels()[1].gather(g.channel(n)),
        "dateTime": Generator.time,
        "extra": _text(20, 19),
    },
}
