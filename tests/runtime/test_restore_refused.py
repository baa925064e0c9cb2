"""State of an older checkpoint tells its key's type only when it is restored."""

from __future__ import annotations

from typing import Any

import polars as pl
import pytest

from raystream.operators.window.aggregates import Aggregation
from tests.formats_on_disk.kept import kept, run


def test_a_job_whose_state_does_not_fit_ends_with_the_way_out(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """As if the key had been a number when the checkpoint was written, and nothing else said so."""
    restored: Any = Aggregation.restored

    def older(self: Aggregation, frame: pl.DataFrame) -> Any:
        return restored(self, frame.with_columns(pl.lit(1, pl.Int64).alias("shop")))

    monkeypatch.setattr(Aggregation, "restored", older)
    store, _, _ = kept("tumbling")
    before = set(store.list(""))
    outcome, rows = run("tumbling", store)
    assert (outcome.kind, outcome.restarts) == ("failed", 1)
    assert "the kept rows (panes) have 'shop' of type Int64, which is String now" in outcome.message
    assert "make it the same again, or give the step another name" in outcome.message
    assert not any(rows.values())
    kinds = ("manifest", "done")  # the checkpoint is still there
    assert {key for key in before if any(kind in key for kind in kinds)} <= set(store.list(""))
