"""A kafka.py, polars.py or queue.py of the user never takes the place of the library.

The directory of a job is on the path before what is installed, in the driver and in every worker:
whoever imports `kafka` there would get the user's file.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence
from importlib.machinery import ModuleSpec, PathFinder
from types import ModuleType

_STANDARD = os.path.dirname(os.path.abspath(os.__file__))

RESERVED = (sys.stdlib_module_names - {"test"}) | frozenset(
    """
    IPython aiohttp click cloudpickle confluent_kafka grpc jsonschema kafka msgspec numpy obstore
    packaging pandas polars psutil pyarrow pydantic ray requests rich yaml
    """.split()
)
"""What these names mean is not the user's to say."""


class Libraries:
    """Finds modules with a reserved name among what is installed only, if it is there."""

    @staticmethod
    def find_spec(
        name: str, path: Sequence[str] | None = None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        """Where a module is; None: look on."""
        if path is not None or name not in RESERVED:
            return None
        return PathFinder.find_spec(name, [place for place in sys.path if _is_installed(place)])


def keep() -> None:
    """From now on."""
    if Libraries not in sys.meta_path:
        sys.meta_path.insert(0, Libraries)


def _is_installed(place: str) -> bool:
    """Whether an entry of the path is one of the installation.

    >>> _is_installed("/usr/lib/python3/dist-packages"), _is_installed("/home/me/jobs")
    (True, False)
    """
    parts = place.split(os.sep)
    below = place == _STANDARD or place.startswith(_STANDARD + os.sep) or place.endswith(".zip")
    return below or "site-packages" in parts or "dist-packages" in parts
