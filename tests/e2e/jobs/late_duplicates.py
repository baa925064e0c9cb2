"""Every request to commit is delivered again, again and again: what a network may do."""

import runpy
import threading
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from raystream.connectors.kafka.committer import KafkaCommitter

_end = KafkaCommitter._end
_sent: list[Any] = []
_lock = threading.Lock()


def _end_and_remember(self: Any, committables: Sequence[Any], *, commit: bool) -> Any:
    with _lock:
        answers = _end(self, committables, commit=commit)
    if commit and not _sent:
        threading.Thread(target=_again, args=(self,), daemon=True).start()
    _sent.extend(committables)
    return answers


def _again(committer: Any) -> None:
    while True:
        time.sleep(0.1)
        with _lock:
            _end(committer, list(_sent), commit=True)


KafkaCommitter._end = _end_and_remember  # type: ignore[method-assign]
p = runpy.run_path(str(Path(__file__).with_name("per_minute.py")))["p"]
