"""KafkaSource: topics that are read, as a value; what reads is loaded when it is used."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from raystream.connectors.kafka.settings import unknown_option
from raystream.connectors.kafka.topic_pattern import described
from raystream.errors import ConfigurationError

if TYPE_CHECKING:
    from raystream.connectors.base import ReadOptions, SourceReader, Split
    from raystream.connectors.kafka.connection import Kafka
    from raystream.connectors.kafka.topic_pattern import TopicPattern
    from raystream.context import SubtaskContext
    from raystream.data.schema import Schema
    from raystream.formats.base import Format
    from raystream.ids import SplitId

METADATA = ("key", "timestamp", "headers", "topic", "partition", "offset")
KEY_FORMATS = ("text", "json", "int32", "int64")
"""How keys are written: as our own sinks do, as a JSON object, as a big-endian number."""

STARTS = ("earliest", "latest", "committed")
Starting = str | Mapping[str, int]


@dataclass(frozen=True, slots=True)
class KafkaSource:
    """Topics as a `connectors.base.Source`; `Kafka.topic` documents the options."""

    connection: Kafka
    topics: tuple[str, ...]
    format: Format = field(repr=False)
    pattern: TopicPattern | None = None
    starting_offsets: Starting = "earliest"
    group_id: str | None = None
    metadata: tuple[str, ...] = ()
    discovery_interval: float = 60.0
    key_format: str = "text"

    def __post_init__(self) -> None:
        """Refuse what cannot run.

        Raises:
            ConfigurationError: no topic, an unknown metadata column or starting offset.
        """
        where = self.describe()
        if self.pattern is None and (not self.topics or not all(self.topics)):
            what = "no topic is named"
            raise ConfigurationError(what, where)
        for name in self.metadata:
            if name not in METADATA:
                raise unknown_option(name, list(METADATA), where)
        if self.discovery_interval <= 0:
            what = "discovery_interval must be more than 0"
            raise ConfigurationError(what, where)
        if self.key_format not in KEY_FORMATS:
            what = f"key_format {self.key_format!r} is unknown"
            raise ConfigurationError(what, where, f"one of {', '.join(KEY_FORMATS)}")
        _check_start(self.starting_offsets, self.group_id, where)

    def describe(self) -> str:
        """For people."""
        return described(self.topics, self.pattern)

    @property
    def reads_changes(self) -> tuple[str, ...]:
        """Upserts by the record's key; envelopes of Debezium and logs, if they are JSON."""
        of_json = ("debezium", "log") if self.format.name == "json" else ()
        return ("upsert", *of_json)

    def metadata_columns(self) -> Schema:
        """The columns asked for with `metadata=`, with their types."""
        from raystream.connectors.kafka.message_columns import metadata_schema

        return metadata_schema(self.metadata)

    def discover(self, *, bounded: bool) -> list[Split]:
        """All partitions with resolved starts, and ends if bounded. Blocking, network."""
        from raystream.connectors.kafka.enumerator import KafkaEnumerator

        return KafkaEnumerator(self).discover(bounded=bounded)

    def discover_new(self, known: frozenset[SplitId]) -> list[Split]:
        """Partitions that are not known yet, from their beginning. Blocking, network."""
        from raystream.connectors.kafka.enumerator import KafkaEnumerator

        return KafkaEnumerator(self).discover_new(known)

    def grows(self) -> bool:
        """Return True: partitions may be added at any time, with a pattern also topics."""
        return True

    def covers(self, split: SplitId, of: str) -> bool:
        """Whether its topic is read."""
        topic = split.rpartition("/")[0]
        return topic in self.topics if self.pattern is None else self.pattern.matches(topic)

    def reader(self, ctx: SubtaskContext, options: ReadOptions) -> SourceReader:
        """A reader for one subtask."""
        from raystream.connectors.kafka.enumerator import KafkaEnumerator

        return KafkaEnumerator(self).reader(ctx, options)

    def learn(self) -> Schema | None:
        """Schema of the first records, None while there are none. Blocking, network."""
        from raystream.connectors.kafka.enumerator import KafkaEnumerator

        return KafkaEnumerator(self).learn()

    def max_parallelism(self) -> int | None:
        """Number of partitions; no limit if more topics may come. Blocking, network."""
        if self.pattern is not None:
            return None
        from raystream.connectors.kafka.enumerator import KafkaEnumerator

        return KafkaEnumerator(self).max_parallelism()


def _check_start(start: Starting, group_id: str | None, where: str) -> None:
    if isinstance(start, Mapping):
        if set(start) != {"timestamp"} or not isinstance(start["timestamp"], int):
            what = f"starting_offsets {dict(start)!r} is unknown"
            advice = "write {'timestamp': 1700000000000}, in epoch ms"
            raise ConfigurationError(what, where, advice)
        return
    if start not in STARTS:
        what = f"starting_offsets {start!r} is unknown"
        advice = f"one of {', '.join(STARTS)}, {{'timestamp': epoch_ms}}"
        raise ConfigurationError(what, where, advice)
    if start == "committed" and group_id is None:
        what = "starting_offsets 'committed' needs the group that committed them"
        raise ConfigurationError(what, where, "write group_id=")
