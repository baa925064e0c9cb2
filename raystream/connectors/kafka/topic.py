"""What `kafka.topic(..)` gives: a topic that a read takes as a source, and a write as a sink."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from raystream.connectors.kafka.sink import KafkaSink
from raystream.connectors.kafka.source import KafkaSource
from raystream.errors import ConfigurationError

if TYPE_CHECKING:
    from raystream.connectors.kafka.connection import Kafka
    from raystream.connectors.kafka.topic_pattern import TopicPattern
    from raystream.formats.base import Format

    Common = tuple[Kafka, tuple[str, ...], Format, TopicPattern | None]

_OF_READS = ("starting_offsets", "group_id", "metadata", "discovery_interval", "key_format")
_OF_WRITES = (
    "key",
    "timestamp",
    "headers",
    "delivery_guarantee",
    "transaction_timeout",
    "transactional_id_prefix",
)
OPTIONS = ("format", *_OF_READS, *_OF_WRITES)
"""Of `kafka.topic`."""


@dataclass(frozen=True, slots=True)
class KafkaTopic:
    """Topics with options; those of the other direction are refused where it is used.

    Args:
        reading: As a source.
        writing: As a sink; None: there are several, or a pattern.
        given: Names of the options that were given.
    """

    reading: KafkaSource
    writing: KafkaSink | None
    given: frozenset[str] = frozenset()

    @classmethod
    def of(
        cls, common: Common, reading: Mapping[str, Any], writing: Mapping[str, Any]
    ) -> KafkaTopic:
        """Build from the options of both directions; None: not given.

        Raises:
            ConfigurationError: a value that no run could use.
        """
        reads = {name: value for name, value in reading.items() if value is not None}
        writes = {name: value for name, value in writing.items() if value is not None}
        given = frozenset(name.removesuffix("_ms") for name in (*reads, *writes))
        connection, topics, form, _ = common
        one = KafkaSink(connection, topics[0], form, **writes) if len(topics) == 1 else None
        return cls(KafkaSource(*common, **reads), one, given)

    def as_source(self) -> KafkaSource:
        """What a read uses.

        Raises:
            ConfigurationError: an option of a write was given.
        """
        self._refuse(_OF_WRITES, "write", "read")
        return self.reading

    def as_sink(self) -> KafkaSink:
        """What a write uses.

        Raises:
            ConfigurationError: an option of a read was given, or several topics.
        """
        self._refuse(_OF_READS, "read", "write")
        if self.writing is None:
            source = self.reading
            many = "a pattern of them" if source.pattern is not None else str(len(source.topics))
            what = f"a sink writes to one topic, not to {many}"
            raise ConfigurationError(what, self.describe(), "write to each by its own step")
        return self.writing

    def describe(self) -> str:
        """For people."""
        return self.reading.describe()

    def _refuse(self, options: tuple[str, ...], theirs: str, mine: str) -> None:
        wrong = [name for name in options if name in self.given]
        if wrong:
            what = f"{wrong[0]} is an option of a {theirs}, this is a {mine}"
            advice = f"leave it out; kafka.topic(..) may be called once for each {mine}"
            raise ConfigurationError(what, self.describe(), advice)
