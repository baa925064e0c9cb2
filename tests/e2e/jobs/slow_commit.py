"""The second transaction of a checkpoint is committed seconds after the first, if asked for."""

import os
import runpy
import time
from pathlib import Path
from typing import Any

from raystream.runtime import procedures

_commit = procedures._World._commit


def _slowly(self: Any, command: Any) -> Any:
    if command.name == "mid commit":
        time.sleep(float(os.environ.get("E2E_SLOW_COMMIT", "0")))
    return _commit(self, command)


procedures._World._commit = _slowly  # type: ignore[method-assign]
p = runpy.run_path(str(Path(__file__).with_name("per_minute.py")))["p"]
