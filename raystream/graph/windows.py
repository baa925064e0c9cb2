"""The kinds of windows. All numbers in ms of event time."""

from __future__ import annotations

from dataclasses import dataclass, fields


class _Told:
    """A dataclass repr that omits an unset time zone: checkpoints keep it."""

    __slots__ = ()

    def __repr__(self) -> str:
        options = [(f.name, getattr(self, f.name)) for f in fields(self)]  # type: ignore[arg-type]
        inner = ", ".join(f"{n}={v!r}" for n, v in options if v is not None)
        return f"{type(self).__name__}({inner})"


@dataclass(frozen=True, slots=True, repr=False)
class Tumbling(_Told):
    """Adjacent windows of `size_ms`: [offset + n*size, offset + (n+1)*size).

    With a `time_zone` (IANA name) days follow its clocks (time.local_days).

    >>> Tumbling(10), Tumbling(86_400_000, time_zone="UTC")
    (Tumbling(size_ms=10, offset_ms=0), Tumbling(size_ms=86400000, offset_ms=0, time_zone='UTC'))
    """

    size_ms: int
    offset_ms: int = 0
    time_zone: str | None = None


@dataclass(frozen=True, slots=True, repr=False)
class Hopping(_Told):
    """Windows of `size_ms` that start every `slide_ms`; size is a multiple of slide.

    With a `time_zone` both are whole days by its clocks.
    """

    size_ms: int
    slide_ms: int
    offset_ms: int = 0
    time_zone: str | None = None


@dataclass(frozen=True, slots=True, repr=False)
class Cumulative(_Told):
    """Windows that grow by `step_ms` from a common start up to `max_size_ms` (SQL CUMULATE).

    With a `time_zone` the longest is whole days by its clocks.
    """

    max_size_ms: int
    step_ms: int
    offset_ms: int = 0
    time_zone: str | None = None


@dataclass(frozen=True, slots=True, repr=False)
class Session(_Told):
    """Rows of a key that are at most a gap apart, in ms: `gap_ms`, or that of `column` of each row.

    >>> Session(10_000), Session(column="idle")
    (Session(gap_ms=10000), Session(column='idle'))
    """

    gap_ms: int | None = None
    column: str | None = None


@dataclass(frozen=True, slots=True, repr=False)
class CountWindow(_Told):
    """`size` rows of a key, in the order in which they come; a window ends every `slide` rows.

    A key without a row for `ttl_ms` is forgotten, with the rows that its window has.

    >>> CountWindow(100), CountWindow(100, 10)
    (CountWindow(size=100), CountWindow(size=100, slide=10))
    """

    size: int
    slide: int | None = None
    ttl_ms: int | None = None


@dataclass(frozen=True, slots=True, repr=False)
class Trigger(_Told):
    """When a global window is emitted: every `count` rows of a key, or by the clock.

    With `purge` it starts anew then.
    """

    count: int | None = None
    every_ms: int | None = None
    purge: bool = False


@dataclass(frozen=True, slots=True, repr=False)
class GlobalWindow(_Told):
    """All rows of a key; a key without a row for `ttl_ms` is forgotten."""

    trigger: Trigger
    ttl_ms: int | None = None


Window = Tumbling | Hopping | Cumulative
