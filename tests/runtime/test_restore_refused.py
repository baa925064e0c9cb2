"""State of an older checkpoint tells its key's type only when it is restored."""

from __future__ import annotations

from typing import Any

import polars as pl
import pytest

from raystream.data.segment import Segment
from raystream.operators.window.operator import WindowGlobal
from tests.formats_on_disk.kept import kept, run


def test_a_job_whose_state_does_not_fit_ends_with_the_way_out(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """As if the key had been a number when the checkpoint was written, and nothing else said so."""
    checked: Any = WindowGlobal._checked

    def older(self: WindowGlobal, segment: Segment) -> Any:
        frame = segment.frame.with_columns(pl.lit(1, pl.Int64).alias("shop"))
        return checked(self, Segment(segment.id, frame))

    monkeypatch.setattr(WindowGlobal, "_checked", older)
    store, _, _ = kept("tumbling")
    before = set(store.list(""))
    outcome, rows = run("tumbling", store)
    assert (outcome.kind, outcome.restarts) == ("failed", 1)
    assert "the state is kept by key 'shop' of type Int64, which is String now" in outcome.message
    assert "make it Int64 again, or give the step another name" in outcome.message
    assert not any(rows.values())
    kinds = ("manifest", "done")  # the checkpoint is still there
    assert {key for key in before if any(kind in key for kind in kinds)} <= set(store.list(""))
