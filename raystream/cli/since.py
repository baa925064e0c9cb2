"""`--since`: a time ago, or a moment."""

from __future__ import annotations

from datetime import UTC, datetime

from raystream.errors import ConfigurationError
from raystream.units import seconds


def since_ms(text: str, now: datetime) -> int:
    """Epoch ms of a moment in the past.

    Args:
        text: A duration before now (`2h`), or a date or time in ISO 8601; without an offset it is
            of the time zone of this machine.
        now: The present moment.

    Raises:
        ConfigurationError: it is neither, or in the future.

    >>> noon = datetime(2026, 11, 28, 12, tzinfo=UTC)
    >>> since_ms("30m", noon) == since_ms("2026-11-28T11:30Z", noon)
    True
    >>> since_ms("2026-11-28T12:30+01:00", noon) == since_ms("30m", noon)
    True
    """
    moment = _moment(text)
    if moment is None:
        return round(now.timestamp() * 1000 - _ago(text) * 1000)
    if moment > now:
        here = f"{now.astimezone(UTC):%Y-%m-%dT%H:%MZ}"
        what = f"--since: {text.strip()} is in the future, now is {here}"
        raise ConfigurationError(what, what_to_do="a time without an offset is of the local zone")
    return round(moment.timestamp() * 1000)


def _ago(text: str) -> float:
    try:
        return seconds(text, "--since")
    except ConfigurationError as error:
        if "not a duration" not in error.what:
            raise
    what = f"--since: {text!r} is neither a duration nor a time"
    advice = "for example 30m, 2h, 7d, 2026-11-28 or 2026-11-28T14:00+01:00"
    raise ConfigurationError(what, what_to_do=advice)


def _moment(text: str) -> datetime | None:
    """The time; None: it is none, or before or behind all that there are."""
    try:
        return datetime.fromisoformat(text.strip()).astimezone(UTC)
    except (ValueError, OverflowError, OSError):
        return None
