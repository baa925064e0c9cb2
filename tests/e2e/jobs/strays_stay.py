"""Nobody aborts the transactions of dead attempts (which is done for readers, not for safety)."""

import runpy
from pathlib import Path

from raystream.runtime import procedures

procedures._World._abort_strays = lambda self, command: 0  # type: ignore[method-assign]
p = runpy.run_path(str(Path(__file__).with_name("per_minute.py")))["p"]
