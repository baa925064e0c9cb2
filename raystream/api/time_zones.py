"""Time zone names, checked at the user's line."""

from __future__ import annotations

from raystream.api.origin import wrong


def known_zone(name: object) -> str:
    """Check a time zone name.

    Raises:
        ConfigurationError: there is no zone of this name.

    >>> known_zone("Europe/Berlin")
    'Europe/Berlin'
    """
    from zoneinfo import ZoneInfo

    try:
        if isinstance(name, str) and name:
            ZoneInfo(name)
            return name
    except (KeyError, ValueError, OSError):
        pass
    text = f"time_zone: {name!r} is not a time zone"
    raise wrong(text, f"{_near(name)}write a name like Europe/Berlin or UTC")


def _near(name: object) -> str:
    from difflib import get_close_matches
    from zoneinfo import available_timezones

    found = get_close_matches(str(name), sorted(available_timezones()), n=1)
    return f"is it {found[0]}? " if found else ""
