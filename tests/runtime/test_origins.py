"""Numbers of rows lead back to the records they came from, whatever was left out before."""

from __future__ import annotations

from collections.abc import Sequence

import polars as pl
from hypothesis import given
from hypothesis import strategies as st

from raystream.connectors.base import Chunk, Rejected, Run
from raystream.data.batch import PLACE
from raystream.runtime.origins import KEPT_BATCHES, Origins


def chunk(lengths: Sequence[int], start: int) -> Chunk:
    """Runs of two partitions in turn; the value of a row tells its partition and offset."""
    runs, rows = [], []
    offsets = {"in/0": start, "in/1": start}
    for number, length in enumerate(lengths):
        split = f"in/{number % 2}"
        runs.append(Run(split, len(rows), len(rows) + length, None))
        for _ in range(length):
            rows.append((split, offsets[split]))
            offsets[split] += 3

    def reject(wanted: Sequence[int], reason: str) -> tuple[Rejected, ...]:
        found = [rows[row] for row in wanted]
        return tuple(
            Rejected(split, f"{split}, offset {n}", {}, str(n).encode(), b"", reason)
            for split, n in found
        )

    frame = pl.DataFrame(rows, schema=["split", "offset"], orient="row")
    return Chunk(frame, tuple(runs), reject=reject)


@given(st.data())
def test_a_number_leads_to_its_record(data: st.DataObject) -> None:
    origins = Origins()
    for _ in range(data.draw(st.integers(0, 3))):  # batches before
        origins.numbered(pl.DataFrame({"a": [1, 2]}), chunk([2], 0), None)
        origins.flushed()
    frames = []
    for _ in range(data.draw(st.integers(1, 3))):
        lengths = data.draw(st.lists(st.integers(0, 4), min_size=1, max_size=5))
        read = chunk(lengths, data.draw(st.integers(0, 100)))
        kept = None
        frame = read.frame
        if data.draw(st.booleans()):
            flags = st.lists(st.booleans(), min_size=frame.height, max_size=frame.height)
            kept = pl.Series(data.draw(flags), dtype=pl.Boolean)
            frame = frame.filter(kept)
        frames.append(origins.numbered(frame, read, kept))
    batch = pl.concat([frame for frame in frames if frame.height] or [frames[0]])
    if data.draw(st.booleans()):
        origins.flushed()
    for row in batch.to_dicts():
        told = origins.told([row[PLACE]])
        assert told == f"from {row['split']}, offset {row['offset']}, key '{row['offset']}'"
    if batch.height > 1:
        told = origins.told(batch[PLACE].to_list())
        for split in batch["split"].unique():
            mine = batch.filter(pl.col("split") == split)["offset"]
            first, last = mine[0], mine[-1]
            both = f"{split}, offset {first}" + ("" if len(mine) == 1 else f" to {last}")
            assert both in told or first == last


def test_rows_of_long_ago_are_not_known() -> None:
    origins = Origins()
    origins.numbered(pl.DataFrame({"a": [1]}), chunk([1], 0), None)
    for _ in range(KEPT_BATCHES + 1):
        origins.flushed()
    assert origins.told([0]) == ""
