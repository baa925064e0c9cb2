"""A process in plain Python: one row after the other, state in dicts, timers in a set."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from copy import deepcopy
from datetime import UTC, datetime
from math import isnan
from typing import Any

from raystream.graph.process import (
    Context,
    List,
    Map,
    Process,
    StateField,
    Value,
    state_fields,
)

Row = Mapping[str, Any]
Key = tuple[Any, ...]

_BEGIN, _END = -(2**62), 2**63 - 1


class PlainProcess:
    """Calls a Process; clocks stand still in it.

    Args:
        process: The user's; its states are bound to this.
        keys: Key columns.
        skips: Go on after a row or timer that fails.

    Attributes:
        made: (tag, row, event time), in order; the tag of the main output is empty.
    """

    def __init__(self, process: Process, keys: Sequence[str], *, skips: bool = False) -> None:
        self._process, self._keys, self._skips = process, keys, skips
        self.made: list[tuple[str, dict[str, Any], int]] = []
        self.kept: dict[tuple[str, Key], Any] = {}
        self.timers: set[tuple[int, Key]] = set()
        self.key: Key = ()
        self.time = self.now = 0
        self.watermark: int | None = None
        self.ended = False
        self.fires: int | None = None
        self.latest = _BEGIN
        self._context = _Context(self)
        for field in state_fields(process):
            kind = _Everywhere if field.options.broadcast else _STATES[field.kind]
            object.__setattr__(process, field.name, kind(self, field))
        process.open()

    def row(self, row: Row, time: int) -> None:
        """The next row."""
        self.key = tuple(row[name] for name in self._keys)
        self._call(lambda: self._process.on_row(dict(row), self._context), time)

    def left(self, row: Row, time: int) -> None:
        """The next row of the stream, of a process with two inputs."""
        self.key = tuple(row[name] for name in self._keys)
        self._call(lambda: self._process.on_left(dict(row), self._context), time)

    def right(self, row: Row, time: int, keys: Sequence[str]) -> None:
        """The next row of the other stream; it has no key if it is broadcast."""
        self.key = tuple(row[name] for name in keys)
        self._call(lambda: self._process.on_right(dict(row), self._context), time, any_key=not keys)

    def advance(self, watermark: int) -> None:
        """Fire the timers up to a watermark; `END` ends event time."""
        self.ended = watermark == _END
        self._fire(watermark)
        self.watermark = self.watermark if self.ended else watermark

    def end(self) -> None:
        """Fire all timers."""
        self.advance(_END)

    def _call(self, call: Callable[[], Any], time: int, *, any_key: bool = False) -> None:
        kept, timers, made = deepcopy(self.kept), set(self.timers), list(self.made)
        self._at(time)
        if any_key:
            self.now = max(time, self.latest)
        try:
            self._give(call())
            if any_key:
                self.latest = self.now
            elif self.watermark is not None:
                self._fire(self.watermark, behind=True)
        except Exception:
            if not self._skips:
                raise
            self.kept, self.timers, self.made = kept, timers, made

    def _fire(self, until: int, *, behind: bool = False) -> None:
        """Fire timers; those `behind` the watermark belong to the row that set them."""
        while due := [timer for timer in self.timers if timer[0] <= until]:
            at, key = min(due, key=lambda timer: timer[0])
            self.timers.discard((at, key))
            self.key = key
            kept, timers, made = deepcopy(self.kept), set(self.timers), list(self.made)
            self._at(at)
            self.fires = at
            try:
                self._give(self._process.on_timer(at, self._context))
            except Exception:
                if behind or not self._skips:
                    raise
                self.kept, self.timers, self.made = kept, timers, made

    def _at(self, time: int) -> None:
        self.fires = None
        self.time = time
        self.now = time if self.watermark is None else max(time, self.watermark)

    def _give(self, made: Any) -> None:
        rows = [made] if isinstance(made, Mapping) else made or ()
        self.made += [("", dict(row), self.time) for row in rows]


class _Context(Context):
    def __init__(self, run: PlainProcess) -> None:
        self._run = run

    def __getattribute__(self, name: str) -> Any:
        run = object.__getattribute__(self, "_run")
        match name:
            case "key":
                return run.key[0] if len(run.key) == 1 else run.key
            case "time" | "watermark" | "ended":
                return getattr(run, name)
            case "now":
                return 0
            case "late":
                return run.watermark is not None and run.time <= run.watermark
        return object.__getattribute__(self, name)

    def timer(self, at: int | datetime) -> None:
        time = _epoch_ms(at)
        if self._run.fires is not None and time <= self._run.fires:
            what = f"a timer that fires at {self._run.fires} sets one for {time}"
            raise ValueError(what)
        self._run.timers.add((time, self._run.key))

    def delete_timer(self, at: int | datetime) -> None:
        self._run.timers.discard((_epoch_ms(at), self._run.key))

    def clock_timer(self, at: int | datetime) -> None:
        """Never fires: the clock stands still."""

    def delete_clock_timer(self, at: int | datetime) -> None:
        """Nothing fires."""

    def emit(self, tag: str, row: Row) -> None:
        self._run.made.append((tag, dict(row), self._run.time))


def _epoch_ms(at: int | datetime) -> int:
    if isinstance(at, int):
        return at
    return round((at if at.tzinfo else at.replace(tzinfo=UTC)).timestamp() * 1000)


class _Kept:
    def __init__(self, run: PlainProcess, field: StateField) -> None:
        self._run, self._field = run, field

    def _read(self) -> Any:
        return self._run.kept.get((self._field.name, self._run.key))

    def _write(self, kept: Any) -> None:
        if kept:
            self._run.kept[self._field.name, self._run.key] = kept
        else:
            self._run.kept.pop((self._field.name, self._run.key), None)

    def _lives(self, written: int) -> bool:
        ttl = self._field.options.ttl_ms
        return ttl is None or self._run.now - ttl <= written


class _Value(_Kept, Value[Any]):
    def get(self, default: Any = None) -> Any:
        kept = self._read()
        return deepcopy(kept[0]) if kept is not None and self._lives(kept[1]) else default

    def set(self, value: Any) -> None:
        kept = self._read()
        since = self._run.now if kept is None else max(self._run.now, kept[1])
        self._write(None if value is None else (deepcopy(value), since))

    def clear(self) -> None:
        self._write(None)


class _List(_Kept, List[Any]):
    def append(self, item: Any) -> None:
        self.extend([item])

    def extend(self, items: Iterable[Any]) -> None:
        new = [(deepcopy(item), self._run.now) for item in items]
        self._write([*(self._read() or ()), *new])

    def get(self) -> list[Any]:
        return [deepcopy(item) for item, since in self._read() or () if self._lives(since)]

    def set(self, items: Iterable[Any]) -> None:
        new = [(deepcopy(item), self._run.now) for item in items]
        self._write(new)

    def clear(self) -> None:
        self._write(None)

    def __len__(self) -> int:
        return len(self.get())


class _Map(_Kept, Map[Any, Any]):
    def _alive(self) -> dict[Any, Any]:
        return {k: v for k, (v, since) in (self._read() or {}).items() if self._lives(since)}

    def __getitem__(self, key: Any) -> Any:
        return deepcopy(self._alive()[_one(key)])

    def __setitem__(self, key: Any, value: Any) -> None:
        key, kept = _one(key), self._read() or {}
        alive = key in self._alive()
        since = max(self._run.now, kept[key][1]) if alive else self._run.now
        left = dict(kept)
        if not alive:
            left.pop(key, None)
        self._write({**left, key: (deepcopy(value), since)})

    def __delitem__(self, key: Any) -> None:
        key = _one(key)
        del self._alive()[key]
        left = dict(self._read())
        del left[key]
        self._write(left)

    def __iter__(self) -> Iterator[Any]:
        return iter(self._alive())

    def __len__(self) -> int:
        return len(self._alive())

    def clear(self) -> None:
        self._write(None)


_NAN = float("nan")


def _one(key: Any) -> Any:
    """NaN is one key, and so is zero."""
    return key if not isinstance(key, float) else _NAN if isnan(key) else key + 0.0


class _Everywhere(_Map):
    """Broadcast state belongs to no key, and only a row without a key writes it."""

    def _read(self) -> Any:
        return self._run.kept.get((self._field.name, ()))

    def _write(self, kept: Any) -> None:
        if self._run.key:
            raise RuntimeError(self._field.name)
        super()._write(kept)


_STATES: Mapping[type[Any], Callable[[PlainProcess, StateField], Any]] = {
    Value: _Value,
    List: _List,
    Map: _Map,
}


def processed(
    process: Process, keys: Sequence[str], rows: Iterable[tuple[Row, int]], *, skips: bool
) -> list[tuple[str, dict[str, Any], int]]:
    """What a process gives for all rows, in the order of their event times.

    Args:
        process: The user's; a copy of it runs.
        keys: Key columns.
        rows: Rows with their event times, in any order.
        skips: Go on after a row or timer that fails.
    """
    plain = PlainProcess(deepcopy(process), keys, skips=skips)
    for row, time in sorted(rows, key=lambda each: each[1]):
        plain.advance(time - 1)
        plain.row(row, time)
    plain.end()
    return plain.made


def processed_with(
    process: Process,
    keys: tuple[Sequence[str], Sequence[str]],
    inputs: Sequence[Iterable[tuple[Row, int]]],
    *,
    skips: bool,
) -> list[tuple[str, dict[str, Any], int]]:
    """The same of a process with two inputs, by event time; at one time the other stream's first.

    Args:
        process: The user's; a copy of it runs.
        keys: Key columns of both streams; those of a broadcast one are empty.
        inputs: Rows with their event times, in any order.
        skips: Go on after a row or timer that fails.
    """
    plain = PlainProcess(deepcopy(process), keys[0], skips=skips)
    rows = [(time, port, row) for port in (1, 0) for row, time in inputs[port]]
    for time, port, row in sorted(rows, key=lambda each: each[0]):
        plain.advance(time - 1)
        if port:
            plain.right(row, time, keys[1])
        else:
            plain.left(row, time)
    plain.end()
    return plain.made
