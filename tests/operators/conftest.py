"""A subtask for operators under test: collects what they emit and count."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from typing import Any

import polars as pl
import pytest

from raystream.context import SubtaskContext
from raystream.data.batch import TIME, Batch
from raystream.ids import SubtaskId
from raystream.operators.operator import Operator, Restored, create
from raystream.time.clock import VirtualClock
from tests import steps


class Harness:
    """One operator in one subtask."""

    def __init__(
        self,
        step: steps.Step,
        *,
        attempt: int = 1,
        index: int = 0,
        parallelism: int = 1,
        late: bool = True,
        restored: Restored | None = None,
    ) -> None:
        self.clock = VirtualClock()
        self.counts: dict[str, int] = {}
        self.emitted: dict[str, list[Batch]] = {}
        self._late = late
        self.operator: Operator = create(step)
        ctx = SubtaskContext(
            "job", "0" * 8, attempt, "step", SubtaskId("chain", index), parallelism,
            self.clock, ThreadPoolExecutor(1), count=self._count,
        )  # fmt: skip
        self.operator.open(ctx, self)
        if restored is not None:
            self.operator.restore(restored)

    def emit(self, batch: Batch, tag: str = "") -> None:
        assert len(batch)
        self.emitted.setdefault(tag, []).append(batch)

    def consumed(self, tag: str) -> bool:
        return self._late and tag == "late"

    def process(self, rows: pl.DataFrame | list[dict[str, Any]], time: Any = 0) -> Harness:
        frame = pl.DataFrame(rows) if isinstance(rows, list) else rows
        if TIME not in frame.columns:
            frame = frame.with_columns(pl.lit(time, pl.Int64).alias(TIME))
        self.operator.process(Batch(frame))
        return self

    def take(self, tag: str = "", *, hidden: bool = False) -> list[dict[str, Any]]:
        """Rows emitted since the last call."""
        batches = self.emitted.pop(tag, [])
        frames = [batch.frame if hidden else batch.user_frame() for batch in batches]
        return [row for frame in frames for row in frame.to_dicts()]

    def take_frames(self) -> list[pl.DataFrame]:
        return [batch.frame for batch in self.emitted.pop("", [])]

    def _count(self, name: str, n: int) -> None:
        self.counts[name] = self.counts.get(name, 0) + n


@pytest.fixture(scope="session")
def harness() -> type[Harness]:
    """`harness(step)` opens an operator."""
    return Harness
