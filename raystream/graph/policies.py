"""Options of the user that are not steps: watermarks, errors, emission, delivery, restart."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum


class DeliveryGuarantee(StrEnum):
    """Delivery guarantee of a sink (Flink's terms)."""

    EXACTLY_ONCE = "exactly_once"
    AT_LEAST_ONCE = "at_least_once"
    NONE = "none"


class ErrorPolicy(StrEnum):
    """How to handle a record that does not fit, or a row that a step cannot compute."""

    FAIL = "fail"
    SKIP = "skip"
    DLQ = "dlq"


@dataclass(frozen=True, slots=True)
class WatermarkStrategy:
    """Watermark strategy of a source, per split; public as `rs.Watermark`. All numbers in ms.

    `api` builds it from durations; see `raystream.api.watermark`. `max_drift_ms` is set if `align`,
    the name of a group, is.
    """

    out_of_orderness_ms: int = 10_000
    idle_timeout_ms: int | None = 30_000
    max_future_ms: int | None = 3_600_000
    align: str | None = None
    max_drift_ms: int | None = None


@dataclass(frozen=True, slots=True)
class OnClose:
    """One row per key and window, when the watermark passes the end of the window."""


@dataclass(frozen=True, slots=True)
class Early:
    """Also rows with `final` = false every `every_ms` of wall clock while the window is open."""

    every_ms: int


@dataclass(frozen=True, slots=True)
class OnUpdate:
    """The row of a window as it is after each batch with rows of it: a stream of changes."""


Emit = OnClose | Early | OnUpdate


@dataclass(frozen=True, slots=True)
class RestartStrategy:
    """Exponential delay (Flink's term), seconds: first restart at once, then initial..max."""

    initial: float = 1.0
    maximum: float = 120.0
    reset_after: float = 600.0
