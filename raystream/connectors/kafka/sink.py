"""KafkaSink: a topic that is written, as a value; what writes is loaded when it is used."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from raystream.errors import ConfigurationError
from raystream.graph.policies import DeliveryGuarantee

if TYPE_CHECKING:
    from raystream.connectors.base import Committer, CommitterContext, SinkWriter, WriteOptions
    from raystream.connectors.kafka.connection import Kafka
    from raystream.context import SubtaskContext
    from raystream.formats.base import Format
    from raystream.ids import StepName


@dataclass(frozen=True, slots=True)
class KafkaSink:
    """A topic as a `connectors.base.Sink`; `Kafka.topic` documents the options."""

    connection: Kafka
    topic: str
    format: Format = field(repr=False)
    key: str | None = None
    timestamp: str | None = None
    headers: tuple[str, ...] = ()
    delivery_guarantee: DeliveryGuarantee | None = None
    transaction_timeout_ms: int | None = None
    transactional_id_prefix: str = ""

    def __post_init__(self) -> None:
        """Refuse what cannot run.

        Raises:
            ConfigurationError: the prefix has a space.
        """
        if any(letter.isspace() for letter in self.transactional_id_prefix):
            what = f"transactional_id_prefix {self.transactional_id_prefix!r} has a space in it"
            raise ConfigurationError(what, self.describe(), "for example 'team.'")

    def describe(self) -> str:
        """For people."""
        return f"kafka topic {self.topic}"

    @property
    def topics(self) -> tuple[str, ...]:
        """The one topic."""
        return (self.topic,)

    @property
    def takes_upserts(self) -> bool:
        """Return True: the last record of a key counts, and one without a value removes it."""
        return True

    def check(self, job: str, store_id: str, step: StepName) -> list[str]:
        """Check limits, topic, foreign stray transactions. Blocking, network."""
        from raystream.connectors.kafka.delivery import KafkaDelivery

        return KafkaDelivery(self).check(job, store_id, step)

    def check_rows(self, options: WriteOptions) -> None:
        """Refuse rows that the format or the options of the topic cannot write."""
        from raystream.connectors.kafka.outgoing import to_messages

        to_messages(self.format, options, self.key, self.timestamp, self.headers)

    def writer(self, ctx: SubtaskContext, options: WriteOptions) -> SinkWriter:
        """A writer for one subtask."""
        from raystream.connectors.kafka.delivery import KafkaDelivery

        return KafkaDelivery(self).writer(ctx, options)

    def committer(self, ctx: CommitterContext) -> Committer | None:
        """Phase two; connects at once."""
        from raystream.connectors.kafka.delivery import KafkaDelivery

        return KafkaDelivery(self).committer(ctx)
