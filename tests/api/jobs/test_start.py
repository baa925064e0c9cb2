"""What a start gives up is told before it runs: steps, rows, bytes."""

from __future__ import annotations

from pathlib import Path

import polars as pl

from raystream.api.jobs.start import OpenedSavepoint, tell_left_behind
from raystream.checkpoint.records import Checkpoint, Owner, StoredState
from raystream.data.segment import Segment
from raystream.observe.words import size
from raystream.storage.memory import MemoryStore
from raystream.storage.open import open_store
from raystream.storage.segments import write_segment
from tests.job.example import plan


def test_the_state_of_a_step_that_is_gone_is_told_in_rows_and_bytes() -> None:
    store, said = MemoryStore(), list[str]()
    frames = [pl.DataFrame({"n": range(30)}), pl.DataFrame({"n": range(12)})]
    refs = [
        write_segment(store, 0, "gone", i, Segment(f"s{i}", each)) for i, each in enumerate(frames)
    ]
    states = tuple(StoredState({}, (ref,)) for ref in refs)
    base = Checkpoint(Owner(0, "x"), 3, {"gone": states, "count": (StoredState({}),)})
    tell_left_behind(base, None, plan(), store, said.append)
    total = sum(ref.size for ref in refs)
    assert said == [f"warning: the state of step 'gone' is given up: 42 rows, {size(total)}"]
    store.delete([refs[0].key])
    said.clear()
    tell_left_behind(base, None, plan(), store, said.append)  # damaged: the run itself tells that
    assert said == [f"warning: the state of step 'gone' is given up: {size(total)}"]


def test_state_of_a_savepoint_is_counted_in_the_savepoint(tmp_path: Path) -> None:
    kept, said = open_store(str(tmp_path)), list[str]()
    ref = write_segment(kept, 0, "gone", 0, Segment("s", pl.DataFrame({"n": range(7)})))
    content = Checkpoint(Owner(0, "x"), 3, {"gone": (StoredState({}, (ref,)),)})
    savepoint = OpenedSavepoint(str(tmp_path), content)
    tell_left_behind(content, savepoint, plan(), MemoryStore(), said.append)
    assert said == [f"warning: the state of step 'gone' is given up: 7 rows, {size(ref.size)}"]
