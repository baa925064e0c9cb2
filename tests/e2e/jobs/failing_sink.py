"""Writer 1 fails, and is closed, between the commits of the two transactions of a checkpoint."""

import runpy
import time
from pathlib import Path
from typing import Any

from raystream.ids import SubtaskId
from raystream.runtime import procedures
from raystream.runtime.task import Task

_commit = procedures._World._commit
_step = Task.step
_said: list[str] = []


def _slowly(self: Any, command: Any) -> Any:
    if command.name == "mid commit" and not _said:
        _said.append("fail")
        time.sleep(1)
    return _commit(self, command)


def _fail_once(self: Any) -> Any:
    if _said == ["fail"] and self.subtask == SubtaskId("write", 1):
        _said.append("failed")
        self._chain.close()
        text = "a test ends this writer"
        raise ConnectionError(text)
    return _step(self)


procedures._World._commit = _slowly  # type: ignore[method-assign]
Task.step = _fail_once  # type: ignore[method-assign]
p = runpy.run_path(str(Path(__file__).with_name("per_minute.py")))["p"]
