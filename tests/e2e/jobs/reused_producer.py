"""Control: the producer of a committed transaction continues without init_transactions."""

import runpy
from pathlib import Path
from typing import Any

from raystream.connectors.kafka.writer import KafkaSinkWriter


def _reuse(self: Any, place: int, sealed: Any) -> Any:
    if sealed is None:
        return self._open(place)
    sealed._producer._producer.commit_transaction(30)  # it has been: the broker says so again
    sealed._producer.begin_transaction()
    sealed.n_records = 0
    sealed.first_write = None
    return sealed


KafkaSinkWriter._re_init = _reuse  # type: ignore[method-assign]
p = runpy.run_path(str(Path(__file__).with_name("late_duplicates.py")))["p"]
