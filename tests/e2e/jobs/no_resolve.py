"""Control: recovery takes the transactions of its base for committed, without asking."""

import runpy
from pathlib import Path
from typing import Any

from raystream.checkpoint.verdicts import Verdict
from raystream.runtime import procedures

_commit = procedures._World._commit


def _pretend(self: Any, command: Any) -> Any:
    if command.name.startswith("recover"):
        return tuple(Verdict.COMMITTED for _ in command.committables)
    return _commit(self, command)


procedures._World._commit = _pretend  # type: ignore[method-assign]
p = runpy.run_path(str(Path(__file__).with_name("per_minute.py")))["p"]
