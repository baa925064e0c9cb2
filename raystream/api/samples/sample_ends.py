"""The ends of a sample: sources that publish nothing, and collecting in place of sinks."""

from __future__ import annotations

from collections.abc import Mapping
from concurrent.futures import Future
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

from raystream.checkpoint.records import Committable
from raystream.connectors.base import (
    Chunk,
    CommitterContext,
    Position,
    ReadOptions,
    SinkWriter,
    Split,
    WriteOptions,
)
from raystream.connectors.kafka.source import KafkaSource
from raystream.context import SubtaskContext
from raystream.data.batch import HIDDEN
from raystream.data.schema import Schema
from raystream.errors import ConfigurationError
from raystream.ids import SplitId, StepName

if TYPE_CHECKING:
    import polars as pl


class SampledSource:
    """A source that reads only what is there now and publishes nothing.

    Args:
        source: What the user reads. A Kafka topic is read without its consumer group, and from its
            first record even if the job would start with the latest.
    """

    def __init__(self, source: Any) -> None:
        self._source = source
        self.rows = 0
        self.endless = False

    def __getattr__(self, name: str) -> Any:
        """Traits of the source that its rows depend on, if it has them."""
        if name in {"metadata_columns", "topics"}:
            return getattr(self._source, name)
        raise AttributeError(name)

    def discover(self, *, bounded: bool) -> list[Split]:
        """All splits with their current ends; without ends if there are none."""
        source = self._source
        if isinstance(source, KafkaSource):
            self.endless = True
            if source.starting_offsets == "latest":
                source = replace(source, starting_offsets="earliest")
            return source.discover(bounded=True)
        splits: list[Split] = source.discover(bounded=False)
        self.endless = any(split.end is None for split in splits)
        try:
            return source.discover(bounded=True) if self.endless else splits
        except ConfigurationError:  # generated rows have no latest one
            return splits

    def discover_new(self, known: frozenset[SplitId]) -> list[Split]:
        """Return none: a sample covers only what is there now."""
        return []

    def reader(self, ctx: SubtaskContext, options: ReadOptions) -> Any:
        """Return a reader that publishes no positions."""
        source, self.rows = self._source, 0
        if isinstance(source, KafkaSource) and source.group_id is not None:
            start = "earliest"  # splits know their starts; `committed` would need the group
            source = replace(source, group_id=None, starting_offsets=start)
        return _SampledReader(source.reader(ctx, options), self)

    def learn(self) -> Schema | None:
        """Delegate to the source."""
        found: Schema | None = self._source.learn()
        return found

    def describe(self) -> str:
        """Delegate to the source."""
        return str(self._source.describe())

    def max_parallelism(self) -> int | None:
        """Return 1: one subtask reads everything."""
        return 1


class _SampledReader:
    def __init__(self, reader: Any, source: SampledSource) -> None:
        self._reader = reader
        self._source = source

    def __getattr__(self, name: str) -> Any:
        return getattr(self._reader, name)

    def poll(self, max_rows: int) -> Chunk | None:
        chunk: Chunk | None = self._reader.poll(max_rows)
        self._source.rows += chunk.frame.height if chunk is not None else 0
        return chunk

    def committed(self, positions: Mapping[SplitId, Position]) -> None:
        """Publish nothing."""


@dataclass(slots=True, eq=False)
class CollectingSink:
    """Collects the rows that would enter a sink."""

    label: str
    frames: list[pl.DataFrame] = field(default_factory=list)
    height: int = 0
    schema: Schema | None = None

    def frame(self, limit: int) -> pl.DataFrame:
        """The first rows; an empty frame with the planned columns if there are none."""
        import polars as pl

        if self.frames:
            return pl.concat(self.frames, how="diagonal_relaxed").head(limit)
        return pl.DataFrame(schema=dict(self.schema.columns) if self.schema else {})

    def check(self, job: str, store_id: str, step: StepName) -> list[str]:
        """Return no problems."""
        return []

    def writer(self, ctx: SubtaskContext, options: WriteOptions) -> SinkWriter:
        """Start over: when a step has failed, the sample is read again from its start."""
        self.frames, self.height, self.schema = [], 0, options.schema
        return _CollectingWriter(self)

    def committer(self, ctx: CommitterContext) -> None:
        """Commit nothing."""

    def describe(self) -> str:
        """Description for people."""
        return "a sample"


class _CollectingWriter:
    def __init__(self, collector: CollectingSink) -> None:
        self._sink = collector

    def write(self, frame: pl.DataFrame) -> None:
        visible = [name for name in frame.columns if not name.startswith(HIDDEN)]
        self._sink.frames.append(frame.select(visible))
        self._sink.height += frame.height

    def has_room(self) -> bool:
        return True

    def prepare(self, checkpoint: int, *, final: bool) -> Future[Committable | None]:
        done: Future[Committable | None] = Future()
        done.set_result(None)
        return done

    def committed(self, checkpoint: int) -> None: ...

    def poll(self, now: float) -> float | None:
        return None

    def oldest_transaction_age_s(self) -> float:
        return 0.0

    def close(self) -> None: ...
