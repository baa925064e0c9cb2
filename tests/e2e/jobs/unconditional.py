"""Control: a manifest replaces what is there, and nobody looks whether a newer attempt exists.

Either alone is caught by the other; the models in tests/checkpoint/protocol take them one by one.
"""

import runpy
from pathlib import Path
from typing import Any

from raystream.runtime import procedures

_create = procedures._World._create
_read = procedures._World._read


def _replace(self: Any, command: Any) -> Any:
    if command.name == "create manifest":
        self._store.delete([command.key])
    return _create(self, command)


def _look_away(self: Any, command: Any) -> Any:
    return None if command.name == "look for newer" else _read(self, command)


procedures._World._create = _replace  # type: ignore[method-assign]
procedures._World._read = _look_away  # type: ignore[method-assign]
p = runpy.run_path(str(Path(__file__).with_name("strays_stay.py")))["p"]
