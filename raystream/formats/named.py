"""The formats by the names that users write."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from raystream.data.schema import nearest
from raystream.errors import ConfigurationError
from raystream.formats.base import Format
from raystream.formats.csv import Csv
from raystream.formats.json import Json
from raystream.formats.raw import Raw

_FORMATS: Mapping[str, Callable[[], Format]] = {"json": Json, "raw": Raw, "csv": Csv}


def format_by_name(name: str | Format) -> Format:
    """The format called `name`, with its defaults; a Format is given back as it is.

    Raises:
        ConfigurationError: there is no format of that name.

    >>> format_by_name("json").name
    'json'
    """
    if not isinstance(name, str):
        return name
    if name not in _FORMATS:
        advice = f"{nearest(name, _FORMATS)}formats: {', '.join(_FORMATS)}"
        what = f"no format {name!r}"
        raise ConfigurationError(what, what_to_do=advice)
    return _FORMATS[name]()
