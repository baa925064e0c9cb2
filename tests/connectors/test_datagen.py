"""Made-up rows depend on seed, partition and number only, and come no faster than the rate."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from raystream.connectors.base import ReadOptions, SourceReader, Split
from raystream.connectors.datagen import Datagen
from raystream.context import SubtaskContext
from raystream.data.batch import TIME
from raystream.data.schema import Schema
from raystream.errors import ConfigurationError
from raystream.ids import SubtaskId
from raystream.time.clock import VirtualClock

ALL = Schema.of({"ts": "int", "i": "int", "f": "float", "s": "string", "b": "bool"})
CONTEXT = SubtaskContext(
    "job", "abcd0123", 1, "in", SubtaskId("in", 0), 1, VirtualClock(), ThreadPoolExecutor(1)
)


def opened(source: Datagen, splits: list[Split], clock: VirtualClock) -> SourceReader:
    reader = source.reader(replace(CONTEXT, clock=clock), ReadOptions(ALL, event_time="ts"))
    for split in splits:
        reader.add(split)
    return reader


def drain(reader: SourceReader, size: int = 1000) -> pl.DataFrame:
    frames = [ALL.empty()]
    while (chunk := reader.poll(size)) is not None:
        frames.append(chunk.frame)
    return pl.concat(frames)


@given(st.integers(0, 50), st.integers(1, 9), st.integers(1, 4))
def test_rows_do_not_depend_on_how_they_are_read(cut: int, size: int, partitions: int) -> None:
    source = Datagen(rate=None, rows=50, schema=ALL, partitions=partitions)
    splits = source.discover(bounded=True)
    whole = drain(opened(source, splits, VirtualClock()))
    first = [replace(s, end=min(cut, s.end)) for s in splits]
    rest = [replace(s, start=min(cut, s.end)) for s in splits]
    parts = [drain(opened(source, part, VirtualClock()), size) for part in (first, rest)]
    assert whole.height == 50
    assert pl.concat(parts).sort(pl.all()).equals(whole.sort(pl.all()))


def test_another_seed_gives_other_rows_of_the_same_kind() -> None:
    options = ReadOptions(ALL, event_time="ts")
    one, two = (Datagen(seed=seed, schema=ALL).frame(0, 0, 1000, options) for seed in (1, 2))
    assert one["ts"].equals(two["ts"])
    assert one.schema == ALL.polars()
    for name in ("i", "f", "s", "b"):
        assert not one[name].equals(two[name])
    assert one["i"].is_between(0, 999).all()
    assert 400 < one["b"].sum() < 600
    assert 0.45 < float(one["f"].mean()) < 0.55  # type: ignore[arg-type]
    assert one["s"][0].startswith("s-")


def test_rows_come_at_the_rate() -> None:
    clock = VirtualClock()
    source = Datagen(rate=100, schema=ALL, partitions=2)
    reader = opened(source, source.discover(bounded=False), clock)
    assert reader.poll(1000) is None
    assert reader.caught_up("datagen/0")
    clock.advance(1.0)
    assert reader.lag() == {"datagen/0": 50, "datagen/1": 50}
    assert drain(reader).height == 100
    assert not reader.finished()


def test_event_time_follows_the_rate() -> None:
    frame = Datagen(rate=10, schema=ALL, start_ms=5000).frame(0, 0, 3, ReadOptions(ALL, "ts"))
    assert frame["ts"].to_list() == [5000, 5100, 5200]
    hidden = Datagen(rate=10, start_ms=5000).frame(0, 0, 2, ReadOptions(Schema.of({"key": str})))
    assert hidden[TIME].to_list() == [5000, 5100]


def test_endless_rows_have_no_end_to_run_to() -> None:
    with pytest.raises(ConfigurationError, match="rows without end"):
        Datagen().discover(bounded=True)


def test_a_type_that_can_not_be_made_up_is_named() -> None:
    schema = Schema.of({"raw": "binary"})
    with pytest.raises(ConfigurationError, match="column 'raw': cannot make up Binary"):
        Datagen(schema=schema).frame(0, 0, 1, ReadOptions(schema))
