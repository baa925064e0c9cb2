"""Checkpoints that older code wrote are restored, and the whole comes out as it would have."""

from __future__ import annotations

from typing import Any

import pytest

from raystream.runtime.pace import Pace
from tests.formats_on_disk.jobs import JOBS
from tests.formats_on_disk.kept import kept, run


def told(label: str, rows: list[dict[str, Any]]) -> list[str]:
    """Rows in an order of their own; of a window that is given again, the last."""
    if "window_start" not in (rows or [{}])[0]:
        return sorted(str(row) for row in rows)
    keys = ("window_start", "window_end", "shop", "kind", "tens", "upper", "word")
    last = {tuple(row.get(key) for key in keys): row for row in rows}
    return sorted(str(row) for row in last.values())


@pytest.mark.parametrize("width", [2, 3])
@pytest.mark.parametrize("name", JOBS)
def test_a_checkpoint_of_older_code_is_restored(
    name: str, width: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    if name == "late":  # which rows are late depends on how many are taken at once: then it was one
        monkeypatch.setattr(Pace, "fit", lambda pace, room: min(1, room))
    store, before, whole = kept(name)
    outcome, after = run(name, store, width=width)
    assert outcome.kind == "finished", outcome.message
    assert 0 < outcome.rows_in < 3000, "it began anew"
    for label, rows in whole.items():
        assert told(label, before[label] + after[label]) == told(label, rows)
