"""Process: the user's class with keyed state and timers; Value, List, Map: what it keeps."""

from __future__ import annotations

import inspect
import typing
from collections.abc import Iterable, Iterator, Mapping, MutableMapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Generic, TypeVar, get_args, get_origin

from raystream.errors import ConfigurationError
from raystream.units import Duration, milliseconds

T = TypeVar("T")
K = TypeVar("K")
V = TypeVar("V")

EVENT_TIME, CLOCK = "event_time", "clock"

Made = Iterable[Mapping[str, Any]] | Mapping[str, Any] | None
"""Rows that a method returns or yields."""


class Value(Generic[T]):
    """One value per key, such as `count: rs.Value[int]`.

    Methods concern the key of the row or timer that is processed.

    >>> class Pairs(rs.Process):
    ...     first: rs.Value[int]
    ...     def on_row(self, row, ctx):
    ...         if self.first.get() is None:
    ...             self.first.set(row["n"])
    ...         else:
    ...             yield {"k": ctx.key, "first": self.first.get(0), "second": row["n"]}
    ...             self.first.clear()
    >>> rows = rs.Pipeline("example").read(rs.Rows([{"k": "a", "n": n} for n in range(4)]))
    >>> rows.key_by("k").process(Pairs()).collect().rows()
    [('a', 0, 1), ('a', 2, 3)]
    """

    def get(self, default: T | None = None) -> T | None:
        """The value, or `default` if none is set or its time to live is over."""
        raise NotImplementedError

    def set(self, value: T | None) -> None:
        """Replace it; None clears it."""
        raise NotImplementedError

    def clear(self) -> None:
        """Remove it."""
        raise NotImplementedError


class List(Generic[T]):
    """A list per key, such as `last: rs.List[float]`.

    >>> class LastTwo(rs.Process):
    ...     last: rs.List[int]
    ...     def on_row(self, row, ctx):
    ...         self.last.append(row["n"])
    ...         if row["n"] < 0:
    ...             self.last.clear()
    ...             self.last.extend([0, 0])
    ...         self.last.set(self.last.get()[-2:])
    ...         yield {"k": ctx.key, "last": self.last.get(), "number": len(self.last)}
    >>> rows = rs.Pipeline("example").read(rs.Rows([{"k": "a", "n": n} for n in (1, 2, 3, -1)]))
    >>> rows.key_by("k").process(LastTwo()).collect()["last"].to_list()
    [[1], [1, 2], [2, 3], [0, 0]]
    """

    def append(self, item: T) -> None:
        """Add an item behind the others."""
        raise NotImplementedError

    def extend(self, items: Iterable[T]) -> None:
        """Add items."""
        raise NotImplementedError

    def get(self) -> list[T]:
        """A copy of the items, oldest first."""
        raise NotImplementedError

    def set(self, items: Iterable[T]) -> None:
        """Replace all items."""
        raise NotImplementedError

    def clear(self) -> None:
        """Remove all items."""
        raise NotImplementedError

    def __len__(self) -> int:
        """Number of items."""
        raise NotImplementedError

    def __iter__(self) -> Iterator[T]:
        """The items, oldest first."""
        return iter(self.get())


class Map(MutableMapping[K, V]):
    """A dict per key, such as `seen: rs.Map[str, int]`; it has the methods of a dict.

    >>> class Pages(rs.Process):
    ...     seen: rs.Map[str, int]
    ...     def on_row(self, row, ctx):
    ...         self.seen[row["page"]] = self.seen.get(row["page"], 0) + 1
    ...         yield {"user": ctx.key, "pages": len(self.seen)}
    >>> visits = rs.Rows([{"user": 1, "page": page} for page in ("a", "b", "a")])
    >>> rs.Pipeline("example").read(visits).key_by("user").process(Pages()).collect().rows()
    [(1, 1), (1, 2), (1, 2)]
    """


class Context:
    """What a Process is told about the row or timer that it processes, and what it may ask for.

    Times are epoch milliseconds (int); methods take datetimes too, without zone in UTC.

    Attributes:
        key: Value of the key; of several key columns a tuple.
        time: Event time of the row; of a timer, its time.
        watermark: No row with this event time or an earlier one is expected; None: not known.
        now: The clock.
        late: Whether the row came behind the watermark.
        ended: All input has ended, and event time with it: a timer that sets itself again stops.

    >>> class Silent(rs.Process):
    ...     last: rs.Value[int]
    ...     def on_row(self, row, ctx):
    ...         ctx.emit("all", row)
    ...         ctx.clock_timer(ctx.now + 3_600_000)
    ...         ctx.delete_clock_timer(ctx.now + 3_600_000)
    ...         if self.last.get() is not None:
    ...             ctx.delete_timer(self.last.get() + 60_000)
    ...         self.last.set(ctx.time)
    ...         ctx.timer(ctx.time + 60_000)
    ...     def on_timer(self, at, ctx):
    ...         yield {"user": ctx.key, "silent_since": self.last.get()}
    >>> rows = rs.Rows([{"user": 1, "ts": 5}, {"user": 1, "ts": 9}])
    >>> keyed = rs.Pipeline("example").read(rows, event_time="ts").key_by("user")
    >>> keyed.process(Silent(), side_outputs=["all"]).collect().rows()
    [(1, 9)]
    """

    key: Any
    time: int
    watermark: int | None
    now: int
    late: bool
    ended: bool

    def timer(self, at: int | datetime) -> None:
        """Call `on_timer` for this key once no row at this event time is expected any more.

        A key has one timer per time. One for a time that is behind the watermark fires at once.
        """
        raise NotImplementedError

    def delete_timer(self, at: int | datetime) -> None:
        """Remove this key's timer for a time, if it has one."""
        raise NotImplementedError

    def clock_timer(self, at: int | datetime) -> None:
        """Call `on_clock_timer` for this key at this time of the clock."""
        raise NotImplementedError

    def delete_clock_timer(self, at: int | datetime) -> None:
        """Remove this key's timer for a time of the clock, if it has one."""
        raise NotImplementedError

    def emit(self, tag: str, row: Mapping[str, Any]) -> None:
        """Emit a row to the side output `tag`."""
        raise NotImplementedError


class Process:
    """Base of a class with state and timers per key; see `Stream.process`.

    Its state is declared by annotations. Methods return or yield the rows to emit (dicts).

    >>> class Count(rs.Process):
    ...     count: rs.Value[int]
    ...     def on_row(self, row, ctx):
    ...         self.count.set(self.count.get(0) + 1)
    ...         yield {"shop": ctx.key, "count": self.count.get()}
    >>> rows = rs.Pipeline("example").read(rs.Rows([{"shop": "a"}, {"shop": "a"}]))
    >>> rows.key_by("shop").process(Count()).collect().rows()
    [('a', 1), ('a', 2)]

    Timers, of event time and of the clock, and what is made and given back in each subtask:

    >>> class Reminder(rs.Process):
    ...     def open(self):
    ...         self.client = []
    ...     def on_row(self, row, ctx):
    ...         ctx.timer(ctx.time + 60_000)
    ...     def on_timer(self, at, ctx):
    ...         yield {"shop": ctx.key, "at": at}
    ...     def on_clock_timer(self, at, ctx):
    ...         yield {"shop": ctx.key, "at": at}
    ...     def close(self):
    ...         self.client.clear()
    >>> rows = rs.Pipeline("example").read(rs.Rows([{"shop": "a", "ts": 1}]), event_time="ts")
    >>> rows.key_by("shop").process(Reminder()).collect().rows()
    [('a', 60001)]

    With the rows of two streams, of which one is broadcast here:

    >>> class Priced(rs.Process):
    ...     prices: rs.Map[str, int] = rs.state(broadcast=True)
    ...     def on_left(self, row, ctx):
    ...         ctx.timer(ctx.time + 10)
    ...     def on_right(self, row, ctx):
    ...         self.prices[row["item"]] = row["price"]
    ...     def on_timer(self, at, ctx):
    ...         yield {"item": ctx.key, "price": self.prices.get(ctx.key)}
    >>> p = rs.Pipeline("example")
    >>> prices = p.read(rs.Rows([{"item": "a", "price": 7, "ts": 1}]), event_time="ts")
    >>> sold = p.read(rs.Rows([{"item": "a", "ts": 5}]), event_time="ts", name="sold")
    >>> columns = {"item": "string", "price": "int"}
    >>> priced = sold.key_by("item").process_with(prices, Priced(), broadcast=True, schema=columns)
    >>> priced.collect().rows()
    [('a', 7)]
    """

    def open(self) -> None:
        """Called in each subtask before the first row: what is made here is not state."""

    def on_row(self, row: dict[str, Any], ctx: Context) -> Made:
        """Called with each row (a dict)."""
        raise NotImplementedError

    def on_left(self, row: dict[str, Any], ctx: Context) -> Made:
        """Called by `process_with` with each row of the stream."""
        raise NotImplementedError

    def on_right(self, row: dict[str, Any], ctx: Context) -> Made:
        """Called by `process_with` with each row of the other stream."""
        raise NotImplementedError

    def on_timer(self, at: int, ctx: Context) -> Made:
        """Called when a timer fires."""
        raise NotImplementedError

    def on_clock_timer(self, at: int, ctx: Context) -> Made:
        """Called when a timer of the clock fires."""
        raise NotImplementedError

    def close(self) -> None:
        """Called when a subtask ends, however it ends."""


@dataclass(frozen=True, slots=True)
class StateOptions:
    """What `rs.state(..)` says of a state.

    Args:
        ttl_ms: Time to live since it was written; None: for ever.
        by: Which time that is: event_time or clock.
        broadcast: All of it is in every subtask, and the same for all keys.
    """

    ttl_ms: int | None = None
    by: str = EVENT_TIME
    broadcast: bool = False


def state(*, ttl: Duration | None = None, by: str = EVENT_TIME, broadcast: bool = False) -> Any:
    """Options of a state of a Process.

    Args:
        ttl: Time to live of a value, or of each item of a list or map, since it was written.
        by: `event_time`: it is over for rows with a later event time; or `clock`.
        broadcast: A Map that is the same in every subtask, for `process_with(.., broadcast=True)`:
            `on_right` writes it, everything else reads it. Its time to live is event time.

    >>> class First(rs.Process):
    ...     seen: rs.Value[bool] = rs.state(ttl="1h")
    """
    if by not in (EVENT_TIME, CLOCK):
        what = f"rs.state(by={by!r}) is unknown"
        raise ConfigurationError(what, what_to_do='write by="event_time" or by="clock"')
    if broadcast and ttl is not None and by == CLOCK:
        what = "rs.state(broadcast=True) has no ttl by the clock: each subtask has another one"
        raise ConfigurationError(what, what_to_do='leave out by="clock"')
    return StateOptions(None if ttl is None else milliseconds(ttl, "ttl"), by, broadcast)


@dataclass(frozen=True, slots=True)
class StateField:
    """A declared state.

    Args:
        name: Of the attribute.
        kind: Value, List or Map.
        types: As annotated: of the value, the items, or keys and values.
        options: Its time to live.
    """

    name: str
    kind: type[Any]
    types: tuple[Any, ...]
    options: StateOptions = StateOptions()


def state_fields(process: Process) -> list[StateField]:
    """The declared states of a Process, in order.

    Raises:
        ConfigurationError: an annotation cannot be read, or has no type.

    >>> class Count(rs.Process):
    ...     count: rs.Value[int]
    ...     def on_row(self, row, ctx): pass
    >>> [(field.name, field.kind.__name__, field.types) for field in state_fields(Count())]
    [('count', 'Value', (<class 'int'>,))]
    """
    kind = type(process)
    for name in dir(kind):
        if isinstance(getattr(kind, name, None), StateOptions) and name not in _hints(kind):
            raise _untyped(kind, name, "rs.Value[int] = rs.state(..)")
    found = (_field(kind, name, hint) for name, hint in _hints(kind).items())
    return [field for field in found if field is not None]


def _hints(kind: type[Process]) -> Mapping[str, Any]:
    try:
        return typing.get_type_hints(kind, None, _names_around(kind), include_extras=True)
    except Exception as error:
        what = f"{kind.__name__}: its annotations cannot be read: {error}"
        advice = "names in annotations must be importable at the top of its module"
        raise ConfigurationError(what, what_to_do=advice) from error


def _names_around(kind: type[Process]) -> dict[str, Any]:
    """What its methods see: not always its module, as in a notebook, a doctest, or `exec`."""
    methods = [each for each in vars(kind).values() if inspect.isfunction(each)]
    return {name: value for each in methods for name, value in each.__globals__.items()}


def _field(process: type[Process], name: str, hint: Any) -> StateField | None:
    options = getattr(process, name, None)
    kind = get_origin(hint) or hint
    if kind not in (Value, List, Map):
        if isinstance(options, StateOptions):
            raise _untyped(process, name, "rs.Value[int]")
        return None
    types = get_args(hint)
    if len(types) != (2 if kind is Map else 1):
        raise _untyped(
            process, name, "rs.Map[str, int]" if kind is Map else f"rs.{kind.__name__}[int]"
        )
    if not name.isascii():
        what = f"{process.__name__}.{name}: names of states are ASCII"
        raise ConfigurationError(what)
    chosen = options if isinstance(options, StateOptions) else StateOptions()
    return StateField(name, kind, types, chosen)


def _untyped(process: type[Process], name: str, example: str) -> ConfigurationError:
    what = f"{process.__name__}.{name}: the type of this state is not known"
    return ConfigurationError(what, what_to_do=f"write {name}: {example}")
