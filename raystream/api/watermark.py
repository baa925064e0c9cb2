"""`rs.Watermark`: the watermark strategy of a source."""

from __future__ import annotations

from raystream.api.arguments import checked
from raystream.api.names import check_name
from raystream.api.origin import at_call, wrong
from raystream.graph.policies import WatermarkStrategy
from raystream.units import Duration, milliseconds


@checked
def Watermark(  # noqa: N802 - a value to the user: rs.Watermark(..)
    *,
    out_of_orderness: Duration = "10s",
    idle_timeout: Duration | None = "30s",
    max_future: Duration | None = "1h",
    align: str | None = None,
    max_drift: Duration | None = None,
) -> WatermarkStrategy:
    """Watermark strategy of a source, per split; immutable (Flink's bounded out-of-orderness).

    Args:
        out_of_orderness: How much older than the newest row a row may be and still be on time.
        idle_timeout: A split that is read to its end and empty for this long no longer delays the
            watermark. None: it always does.
        max_future: Rows further ahead of the wall clock go to the dead letters, if there are any,
            else are dropped and counted. None: no limit.

        align: Name of a group of sources that are read together, however fast each could be: a
            split whose event time is ahead of the others is not read until they are near.
        max_drift: With `align`: how far a split may be ahead. Default: 5m.

    Raises:
        ConfigurationError: not a duration, or negative.

    >>> Watermark(out_of_orderness="5s", idle_timeout=None)
    WatermarkStrategy(out_of_orderness_ms=5000, idle_timeout_ms=None, max_future_ms=3600000, ...)
    """
    values = {
        "out_of_orderness": out_of_orderness,
        "idle_timeout": idle_timeout,
        "max_future": max_future,
        "max_drift": _drift(align, max_drift),
    }
    if out_of_orderness is None:
        text = "out_of_orderness None is not a bound"
        raise wrong(text, 'for example "10s", or "0s" for rows in order')
    with at_call():
        found = {n: None if v is None else milliseconds(v, n) for n, v in values.items()}
    for name, value in found.items():
        if value is not None and value < 0:
            text = f"{name} is negative"
            raise wrong(text)
    return WatermarkStrategy(
        found["out_of_orderness"] or 0,
        found["idle_timeout"],
        found["max_future"],
        align,
        found["max_drift"],
    )


def _drift(align: str | None, max_drift: Duration | None) -> Duration | None:
    """How far a split may be ahead of its group; None: there is no group.

    Raises:
        ConfigurationError: a drift without a group, or a group without a name.
    """
    if align is None:
        if max_drift is not None:
            text = "max_drift needs the group that it is about"
            raise wrong(text, 'write align="web", and the same at the other sources')
        return None
    check_name(align, "group of sources")
    return "5m" if max_drift is None else max_drift
