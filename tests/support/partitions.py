"""The values that name a directory of `partition_by=`, as readers of Hive's layout take them."""

from __future__ import annotations

from collections.abc import Mapping
from urllib.parse import unquote

from raystream.connectors.files.partitions import DEFAULT


def values_of(where: str) -> Mapping[str, str | None]:
    """The texts of the values of a relative directory; None: null.

    >>> values_of("dt=2026-11-28/hm=10%3A00/shop=")
    {'dt': '2026-11-28', 'hm': '10:00', 'shop': ''}
    """
    pairs = (part.partition("=") for part in where.split("/"))
    return {unquote(name): None if text == DEFAULT else unquote(text) for name, _, text in pairs}
