"""Control: what was not delivered is not noticed at pre-commit (rule R1 left out)."""

import runpy
from dataclasses import replace
from pathlib import Path
from typing import Any

from raystream.connectors.kafka.transaction import Transaction
from raystream.errors import RaystreamError

_sample = Transaction._sample
_write = Transaction.write


def _healthy(self: Any, producer: Any, good: Any) -> Any:
    return replace(_sample(self, producer, good), state="InTransaction")


def _careless(self: Any, messages: Any, first: int) -> int:
    """Once the refusal is known, librdkafka takes nothing more in this transaction."""
    try:
        return _write(self, messages, first)
    except RaystreamError:
        return len(messages)


Transaction.write = _careless  # type: ignore[method-assign]
Transaction._check_deliveries = lambda self, producer: None  # type: ignore[method-assign]
Transaction._sample = _healthy  # type: ignore[method-assign]
p = runpy.run_path(str(Path(__file__).with_name("per_minute.py")))["p"]
