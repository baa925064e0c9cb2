"""Control: a writer that is closed closes its pre-committed producer too, which aborts."""

import runpy
from pathlib import Path
from typing import Any

from raystream.connectors.kafka.writer import KafkaSinkWriter

_close = KafkaSinkWriter.close


def _close_all(self: Any) -> None:
    if self._sealed is not None:
        self._sealed.abort(5.0)
    _close(self)


KafkaSinkWriter.close = _close_all  # type: ignore[method-assign]
p = runpy.run_path(str(Path(__file__).with_name("failing_sink.py")))["p"]
