"""Reading by the native reader: records are fetched and decoded in one call, straight to columns.

The consumer stays what it was: it assigns, and its own queue serves events and callbacks. What the
native decoder is not sure of it hands back, and Python decodes or refuses it (formats.native_json).
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol, runtime_checkable

import polars as pl

from raystream.connectors.base import ReadOptions
from raystream.connectors.columns import Watching
from raystream.connectors.kafka.clients import Consumer, Message
from raystream.connectors.kafka.message_columns import HEADERS
from raystream.connectors.kafka.stretches import Partition
from raystream.data.batch import MESSAGE_KEY, TIME
from raystream.formats.base import Decoded, Decoder
from raystream.formats.json import JsonDecoder
from raystream.formats.native_json import NativeJson
from raystream.formats.unknown_fields import UnknownFields
from raystream.native import demanded, why_not
from raystream.native.demand import missing

if TYPE_CHECKING:
    from raystream.native import _native

RunOfPoll = tuple[Partition, int, int, int, int | None, bool]
"""Partition, first, last, offset behind it, leader epoch, whether it ran over the end."""

_SOURCES = {"timestamp": "time"}
"""Native names of metadata, where they are others."""


@runtime_checkable
class Lender(Protocol):
    """A consumer whose records can be read natively."""

    def lend(self, fields: Sequence[_native.Field], around: Sequence[str]) -> _native.Reader:
        """The native reader.

        Raises:
            ImportError, RuntimeError: say why there is none.
        """
        ...


@dataclass(frozen=True, slots=True)
class NativeMessage:
    """`clients.Message` of a record of a poll."""

    polled: _native.Polled
    index: int

    def error(self) -> None:
        """None: it is a record."""

    def value(self) -> bytes | None:
        """Payload."""
        return self.polled.record(self.index)[4]

    def key(self) -> bytes | None:
        """Message key."""
        return self.polled.record(self.index)[3]

    def topic(self) -> str:
        """Topic."""
        return self.polled.record(self.index)[0]

    def partition(self) -> int:
        """Partition number."""
        return self.polled.record(self.index)[1]

    def offset(self) -> int:
        """Offset."""
        return self.polled.record(self.index)[2]

    def timestamp(self) -> tuple[int, int]:
        """Type (0: none) and epoch ms."""
        return self.polled.record(self.index)[5]

    def headers(self) -> list[tuple[str, bytes | None]] | None:
        """Headers in order."""
        return self.polled.headers(self.index)

    def leader_epoch(self) -> int | None:
        """None: it is only known of the last record of a run."""
        return None


@dataclass(frozen=True, slots=True)
class NativeEvent:
    """`clients.Message`, and its own `MessageError`, of an event in place of a record."""

    where: tuple[str, int]
    number: int
    text: str
    at: int

    def error(self) -> NativeEvent:
        """Itself."""
        return self

    def code(self) -> int:
        """Error code."""
        return self.number

    def topic(self) -> str:
        """Topic; empty for an error of the whole client."""
        return self.where[0]

    def partition(self) -> int:
        """Partition number."""
        return self.where[1]

    def offset(self) -> int:
        """Offset."""
        return self.at

    def value(self) -> None:
        """None: it is no record."""

    def key(self) -> None:
        """None: it is no record."""

    def timestamp(self) -> tuple[int, int]:
        """None: it is no record."""
        return 0, 0

    def headers(self) -> None:
        """None: it is no record."""

    def leader_epoch(self) -> None:
        """None: it is no record."""

    def str(self) -> str:
        """For people; last in the class, whose annotations mean the type."""
        return self.text


class NativeReading:
    """Polls, and what they gave.

    Args:
        reader: Over the consumer.
        half: Decodes what native leaves to Python.
        unknown: Looks for fields that no column takes; None: nobody asks.
        options: Requested columns.
    """

    def __init__(
        self,
        reader: _native.Reader,
        half: NativeJson,
        unknown: UnknownFields | None,
        options: ReadOptions,
    ) -> None:
        self._reader = reader
        self._half = half
        self._unknown = unknown
        self._columns = _columns(options)
        self._added: dict[int, Partition] = {}

    def add(self, partition: Partition) -> None:
        """To be called before each time that the partition is assigned."""
        number = self._reader.add(partition.topic, partition.number, partition.end)
        self._added[number] = partition

    def decodes(self) -> bool:
        """Whether the next records are decoded natively; else as lists of Python."""
        return self._half.trust.tries()

    def poll(self, most: int) -> _native.Polled | None:
        """Up to so many records, and events."""
        return self._reader.poll(most, decode=self.decodes())

    def runs(self, polled: _native.Polled) -> Iterator[RunOfPoll]:
        """Stretches of one partition each."""
        for number, first, last, offset, epoch, overran in polled.runs:
            told = epoch if epoch >= 0 else None
            yield self._added[number], first, last, offset, told, overran

    def events(self, polled: _native.Polled) -> list[Message]:
        """Ends of partitions, and errors."""
        return [NativeEvent((t, p), code, text, at) for t, p, code, text, at in polled.events]

    def message(self, polled: _native.Polled, index: int) -> Message:
        """A record of the poll."""
        return NativeMessage(polled, index)

    def decoded(self, polled: _native.Polled) -> Decoded:
        """The rows, and the records that are none."""
        half, records = self._half, polled.records
        if polled.columns is None:
            half.trust.passed(records)
            decoded = half.python(polled.values())
        else:
            back = polled.back
            decoded = half.together(polled.columns, back, records, lambda: polled.values(back))
        if self._unknown is None:
            return decoded
        places = range(records)[self._unknown.places(records)]
        unknown = self._unknown.seen(polled.values(places))
        return Decoded(decoded.frame, decoded.rejected, unknown)

    def with_message_columns(
        self, frame: pl.DataFrame, polled: _native.Polled, bad: Sequence[int]
    ) -> pl.DataFrame:
        """The rows with what is around their payloads.

        Args:
            frame: Decoded rows.
            polled: The poll.
            bad: Indexes of the records that are no row.
        """
        if not self._columns:
            return frame
        there = {} if polled.around is None else pl.DataFrame(polled.around).to_dict()
        if any(kind == "headers" for _, kind in self._columns):
            there["headers"] = _headers(polled)
        found = [there[kind].alias(name) for name, kind in self._columns]
        if bad:
            import numpy as np  # a third of the start of `raystream validate`

            keep = np.delete(np.arange(polled.records), bad)
            found = [column.gather(keep) for column in found]
        return frame.with_columns(found)


def native_reading(
    consumer: Consumer, decoder: Decoder | None, options: ReadOptions
) -> tuple[NativeReading | None, str]:
    """The native way to read, or None and why.

    Args:
        consumer: Is asked to lend its records.
        decoder: Of the payloads; None: keys are decoded, too.
        options: Requested columns.

    Raises:
        ConfigurationError: there is none, and RAYSTREAM_NATIVE=1 demands it.
    """
    unknown, inner = None, decoder
    if isinstance(decoder, Watching):
        unknown, inner = decoder.fields, decoder.decoder
    if not isinstance(inner, JsonDecoder):
        return None, "only rows of JSON are read natively"
    if inner.native is None:
        return None, _refused(why_not()) or inner.not_native
    if not isinstance(consumer, Lender):
        return None, _refused("the consumer is not one of confluent-kafka")
    around = sorted({kind for _, kind in _columns(options)} - {"headers"})
    try:
        reader = consumer.lend(inner.native.fields, around)
    except (ImportError, RuntimeError) as error:
        return None, _refused(str(error))
    return NativeReading(reader, inner.native, unknown, options), ""


def _refused(reason: str) -> str:
    """The same reason, unless the user wants no run without the native reader."""
    if reason and demanded():
        raise missing(reason)
    return reason


def _columns(options: ReadOptions) -> list[tuple[str, str]]:
    """Names of the columns around a payload, and what they are, as message_columns has them."""
    columns = [(name, _SOURCES.get(name, name)) for name in options.metadata]
    if options.event_time is None:
        columns.append((TIME, "time"))
    if options.message_key:
        columns.append((MESSAGE_KEY, "key"))
    return columns


def _headers(polled: _native.Polled) -> pl.Series:
    rows = [
        [{"name": name, "value": value} for name, value in polled.headers(index)]
        for index in range(polled.records)
    ]
    return pl.Series("headers", rows, HEADERS)
