"""The forms of `--since`."""

from __future__ import annotations

import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

import pytest

from raystream.cli.since import since_ms
from raystream.errors import ConfigurationError

NOW = datetime(2026, 11, 28, 12, tzinfo=UTC)


@pytest.fixture
def tokyo(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setenv("TZ", "Asia/Tokyo")
    time.tzset()
    yield
    monkeypatch.undo()
    time.tzset()


@pytest.mark.parametrize(
    ("text", "before"),
    [
        ("30m", timedelta(minutes=30)),
        (" 1.5 h ", timedelta(hours=1.5)),
        ("7d", timedelta(days=7)),
        ("0s", timedelta()),
        ("3000d", timedelta(days=3000)),
        ("2026-11-28T11:00Z", timedelta(hours=1)),
        ("2026-11-28 12:00:00+01:00", timedelta(hours=1)),
        ("2026-11-28T01:00:00.500-10:30", timedelta(minutes=29, seconds=59.5)),
        ("2026-11-28T12:00Z", timedelta()),
        ("20261128T100000Z", timedelta(hours=2)),
    ],
)
def test_a_duration_or_a_moment(text: str, before: timedelta) -> None:
    assert since_ms(text, NOW) == round((NOW - before).timestamp() * 1000)


def test_a_time_without_an_offset_is_of_the_local_zone(tokyo: None) -> None:
    assert since_ms("2026-11-28T20:00", NOW) == since_ms("1h", NOW)
    assert since_ms("2026-11-28", NOW) == since_ms("21h", NOW)


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("", "neither a duration nor a time"),
        ("yesterday", "neither a duration nor a time"),
        ("-1h", "neither a duration nor a time"),
        ("2h30", "neither a duration nor a time"),
        ("1h30m", "neither a duration nor a time"),
        ("2026-13-01", "neither a duration nor a time"),
        ("1764331200", "neither a duration nor a time"),
        ("2026-11-28T12:00:01Z", "is in the future, now is 2026-11-28T12:00Z"),
        ("9999-12-31T00:00Z", "is in the future"),
        ("99999999999d", "longer than the 9999 years"),
    ],
)
def test_what_is_refused(text: str, told: str) -> None:
    with pytest.raises(ConfigurationError, match=told):
        since_ms(text, NOW)
