"""Every request to commit is delivered again, again and again: what a network may do."""

import contextlib
import runpy
import threading
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from raystream.connectors.kafka.committer import KafkaCommitter

_end = KafkaCommitter._end
_committers: list[Any] = []
_sent: list[Any] = []
_lock = threading.Lock()


def _end_and_remember(self: Any, committables: Sequence[Any], *, commit: bool) -> Any:
    with _lock:
        if not _committers:
            threading.Thread(target=_again, daemon=True).start()
        _committers.append(self)
        _sent.extend(committables if commit else ())
        return _end(self, committables, commit=commit)


def _again() -> None:
    while True:
        time.sleep(0.03)
        with _lock, contextlib.suppress(RuntimeError):  # closed: the next attempt has its own
            _end(_committers[-1], list(_sent), commit=True)


KafkaCommitter._end = _end_and_remember  # type: ignore[method-assign]
p = runpy.run_path(str(Path(__file__).with_name("per_minute.py")))["p"]
