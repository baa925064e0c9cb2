"""The windows a user can ask for. All numbers in ms of event time."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Tumbling:
    """Windows of `size_ms` that touch: [offset + n*size, offset + (n+1)*size)."""

    size_ms: int
    offset_ms: int = 0


@dataclass(frozen=True, slots=True)
class Hopping:
    """Windows of `size_ms` that start every `slide_ms`; size is a multiple of slide."""

    size_ms: int
    slide_ms: int
    offset_ms: int = 0


@dataclass(frozen=True, slots=True)
class Cumulative:
    """Windows that grow by `step_ms` from a common start up to `max_size_ms` (SQL CUMULATE)."""

    max_size_ms: int
    step_ms: int
    offset_ms: int = 0


Window = Tumbling | Hopping | Cumulative
