"""What is asked of brokers without changing anything."""

from __future__ import annotations

import pytest

from raystream.connectors.kafka import inspection
from raystream.connectors.kafka.inspection import KafkaPythonInspection


@pytest.mark.parametrize(
    ("answers", "told"), [([15, 14, 16, 49], 49), ([15, 53], 53), ([49], 49), ([15] * 12, 15)]
)
def test_the_first_use_of_transactions_is_waited_for(
    answers: list[int], told: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    left = iter(answers)
    monkeypatch.setattr(KafkaPythonInspection, "_asked", lambda self, work: next(left))
    monkeypatch.setattr(inspection.time, "sleep", lambda seconds: None)
    asking = object.__new__(KafkaPythonInspection)
    assert asking.may_write_transactions("job.0.0.check.0.0") == told
    assert list(left) == []
