"""Formats by the names that users write."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from raystream.data.schema import nearest
from raystream.errors import ConfigurationError
from raystream.formats.base import Format
from raystream.formats.csv import Csv
from raystream.formats.json import Json
from raystream.formats.raw import Raw
from raystream.formats.registry import other_formats

_FORMATS: Mapping[str, Callable[[], Format]] = {"json": Json, "raw": Raw, "csv": Csv}


def format_by_name(name: str | Format) -> Format:
    """The format called `name`, with its defaults; a Format is returned unchanged.

    Raises:
        ConfigurationError: there is no format of that name, or it has options without a default.

    >>> format_by_name("json").name
    'json'
    """
    if not isinstance(name, str):
        return name
    known = {**_FORMATS, **other_formats()}
    if name not in known:
        advice = f"{nearest(name, known)}formats: {', '.join(known)}"
        what = f"no format {name!r}"
        raise ConfigurationError(what, what_to_do=advice)
    try:
        made: Format = known[name]()
    except TypeError as error:  # of another package: an option without a default
        what = f"format {name!r} needs options: {error}"
        raise ConfigurationError(what, what_to_do="give a value of its class") from None
    return made
