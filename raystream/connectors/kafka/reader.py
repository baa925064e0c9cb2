"""Read partitions to columns: one call per thousand records, runs per partition, own positions."""

from __future__ import annotations

import time
from bisect import bisect_left
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import Executor
from itertools import groupby

import polars as pl

from raystream.connectors.base import Chunk, Position, ReadOptions, Rejected, Run, Split
from raystream.connectors.columns import decode_schema, index_of_row, record_decoder
from raystream.connectors.kafka import clients
from raystream.connectors.kafka.clients import (
    ClientError,
    Cluster,
    Consumer,
    Message,
    Place,
    RawLog,
)
from raystream.connectors.kafka.failures import KafkaFailure
from raystream.connectors.kafka.message_columns import message_columns
from raystream.connectors.kafka.native_reading import NativeReading, native_reading
from raystream.connectors.kafka.payload_size import payload_bytes
from raystream.connectors.kafka.read_errors import damaged, offset_gone, refused, topic_gone
from raystream.connectors.kafka.stalls import Stalls
from raystream.connectors.kafka.stretches import Partition, Stretch, overruns, without_overrun
from raystream.connectors.kafka.topic_ids import TopicIds
from raystream.connectors.kafka.upserts import UpsertDecoder
from raystream.data.batch import TIME
from raystream.data.changes import ReadChanges
from raystream.data.schema import Schema
from raystream.formats.base import Decoded, Decoder, Format
from raystream.ids import SplitId
from raystream.observe.silence import Silence

CONSUME = 2000
"""Records per call: longer lists leave the L2 cache and cost up to 60 % more (hot-path.md 3)."""

EVENTS = 100
"""Events taken per poll of the consumer's own queue, where the native reader takes the records."""

_GONE = frozenset({clients.AUTO_OFFSET_RESET, clients.LOG_TRUNCATION, 1})
_OF_DAMAGE = ("CRC", "Bad message", "INVALID_MSG", "orrupt", "ompress")
"""librdkafka resets the offset if it cannot read on: that is not retention."""

_NO_TOPIC = frozenset({clients.UNKNOWN_TOPIC, clients.UNKNOWN_PARTITION, 3, 100})
_DAMAGED = frozenset(
    {clients.BAD_MESSAGE, clients.BAD_COMPRESSION, clients.UNDERFLOW, clients.NOT_IMPLEMENTED, 2}
)
"""librdkafka skips some of these batches silently."""

_PASSING = frozenset(
    {*range(5, 10), 13, 14, 15, 16, 56, 72, 74, 75, 78, 89, 103, 106}
    | {-147, -167, -168, -174, -175, -180, -181, -184, -185, -187, -192, -193, -195, -197}
)
"""Answers of a broker that starts, moves or is busy: librdkafka retries by itself."""

_REFUSED = frozenset({clients.AUTHENTICATION, 29, 30, 31, 58})


class KafkaReader:
    """`connectors.base.SourceReader` of some partitions.

    A partition's position never moves by a reset: an offset that is gone, a truncated log or a
    re-created topic is an error. A bounded partition is finished when its position, or the
    end-of-partition event, reaches the end: control records after the last record make
    "last offset + 1 == end" never true.

    Args:
        format: Of the payloads.
        options: Requested columns.
        consumer: Created for this reader.
        cluster: Connects for queries of topic ids.
        raw_log: Connects to read the raw log at the position of a stalled partition.
        background: Runs those queries.
        now: Monotonic seconds.
        key_format: Of the keys (source.KEY_FORMATS), which are read for upserts.
    """

    def __init__(
        self,
        format: Format,  # noqa: A002 - the word users know
        options: ReadOptions,
        *,
        key_format: str = "text",
        consumer: Consumer,
        cluster: Callable[[], Cluster],
        raw_log: Callable[[], RawLog],
        background: Executor,
        now: Callable[[], float] = time.monotonic,
    ) -> None:
        self._consumer = consumer
        self._options = options
        upserts = options.changes is ReadChanges.UPSERT
        self._decoder = None if upserts else _payload_decoder(format, options)
        self._upserts = UpsertDecoder(format, key_format, options) if upserts else None
        self._native, self._not_native = native_reading(consumer, self._decoder, options)
        self._partitions: dict[tuple[str, int], Partition] = {}
        self._by_split: dict[SplitId, Partition] = {}
        self._topics: set[str] = set()
        self._one_topic: str | None = None
        self._topic_ids = TopicIds(cluster, background, now)
        self._stalls = Stalls(raw_log, background, now)

    def add(self, split: Split) -> None:
        """Read this partition too, from `split.start`."""
        topic, _, number = split.id.rpartition("/")
        start = split.start
        end = None if split.end is None else int(split.end["offset"])
        partition = Partition(
            split.id,
            topic,
            int(number),
            int(start["offset"]),
            start.get("epoch"),
            start.get("topic_id"),
            end,
        )
        self._topics.add(topic)
        self._one_topic = topic if len(self._topics) == 1 else None
        self._partitions[(topic, partition.number)] = partition
        self._by_split[split.id] = partition
        self._topic_ids.expect(topic, partition.topic_id)
        if not partition.finished():
            try:
                self._assign(partition)
            except ClientError as error:
                raise KafkaFailure(str(error), f"topic {topic}, partition {number}") from None

    def _assign(self, partition: Partition) -> None:
        if self._native is not None:
            self._native.add(partition)
        self._consumer.assign_more([partition.place()])

    def poll(self, max_rows: int) -> Chunk | None:
        """Up to max_rows rows (never more than CONSUME where Python decodes), or None.

        Raises:
            RaystreamError: offset gone, topic deleted or re-created, access refused.
        """
        if not self._identified():
            return None
        if self._stalls.due():
            self._stalls.check(self._waiting())
        few = min(max_rows, CONSUME)
        if self._native is None:
            return self._poll(few)
        most = max_rows if self._native.decodes() else few
        return self._poll(EVENTS) or self._poll_native(self._native, most)

    def _poll(self, most: int) -> Chunk | None:
        messages = self._consumer.consume(most, 0)
        if not messages:
            complaint = self._consumer.complaint()
            if complaint is not None:
                raise refused(str(complaint), "")
            return None
        events: list[Message] = []
        kind = type(messages[0])  # map over the type's method: a fifth less than a comprehension
        if any(map(kind.error, messages)):
            events = [message for message in messages if message.error() is not None]
            messages = [message for message in messages if message.error() is None]
        messages, stretches = self._advance(messages, self._stretches(messages))
        moved = self._events(events)
        if not stretches and not moved:
            return None
        return self._chunk(messages, stretches, moved)

    def _poll_native(self, native: NativeReading, most: int) -> Chunk | None:
        polled = native.poll(most)
        if polled is None:
            return None
        stretches = []
        for partition, first, last, offset, epoch, overran in native.runs(polled):
            stretch = Stretch(partition, first, last, overran)
            self._move(stretch, offset, epoch)
            stretches.append(stretch)
        moved = self._events(native.events(polled))
        if not stretches and not moved:
            return None
        decoded = native.decoded(polled)
        bad = [row.index for row in decoded.rejected]

        def reject(rows: Sequence[int], reason: str) -> tuple[Rejected, ...]:
            records = (native.message(polled, index_of_row(row, bad)) for row in rows)
            return tuple(self._rejected(record, reason) for record in records)

        rejected = tuple(
            self._rejected(native.message(polled, row.index), row.reason)
            for row in decoded.rejected
        )
        frame = native.with_message_columns(decoded.frame, polled, bad)
        runs = _runs(stretches, moved, bad, frame.height)
        return Chunk(frame, runs, rejected, reject, polled.size, decoded.unknown)

    def native_state(self) -> str:
        """`on`, or why not."""
        return self._not_native or "on"

    def caught_up(self, split: SplitId) -> bool:
        """True if the last known state of the partition is its end, and nothing waits after it.

        The end event alone may be outdated under back-pressure: records fetched in the meantime
        wait behind those of other partitions, or in a transaction that is still open. The end of a
        partition whose broker does not answer is unknown.
        """
        partition = self._by_split[split]
        if partition.finished():
            return True
        if not partition.at_end or (partition.topic, partition.number) in self._consumer.silent():
            return False
        end = self._consumer.last_known_end(partition.topic, partition.number)
        return end is None or end <= partition.offset

    def finished(self) -> bool:
        """True if every partition has an end and its position reached it."""
        return all(partition.finished() for partition in self._partitions.values())

    def pause(self, splits: frozenset[SplitId]) -> None:
        """Fetch nothing of these partitions; what was fetched and not read is fetched again."""
        for split, partition in self._by_split.items():
            if partition.finished() or partition.paused == (split in splits):
                continue
            partition.paused, partition.at_end = split in splits, False
            if partition.paused:
                self._consumer.unassign([partition.place()])
            else:
                self._assign(partition)

    def committed(self, positions: Mapping[SplitId, Position]) -> None:
        """Publish positions to the group, for lag tools only."""
        self._topic_ids.ask_again()
        mine = [
            (self._by_split[split], int(position["offset"]))
            for split, position in positions.items()
            if split in self._by_split
        ]
        if mine:
            self._consumer.publish([Place(p.topic, p.number, offset) for p, offset in mine])

    def lag(self) -> dict[SplitId, int]:
        """Records up to the high watermark of the last fetch, if the broker answers."""
        lags = {}
        silent = self._consumer.silent()
        for place, partition in self._partitions.items():
            if place in silent and not partition.finished():
                continue
            end = partition.end
            if end is None:
                end = self._consumer.last_known_end(partition.topic, partition.number)
            if end is not None:
                lags[partition.split] = max(0, end - partition.offset)
        return lags

    def silent(self) -> dict[SplitId, Silence]:
        """Partitions still to be read whose broker does not answer."""
        return {
            self._partitions[place].split: who
            for place, who in self._consumer.silent().items()
            if place in self._partitions and not self._partitions[place].finished()
        }

    def close(self) -> None:
        """Disconnect from the brokers."""
        self._consumer.close()

    def _identified(self) -> bool:
        """False until it is known that the topics are still those of the positions."""
        self._topic_ids.check()
        return self._topic_ids.known()

    def _waiting(self) -> list[Place]:
        """Positions of partitions that are not known to be read to their ends."""
        return [
            partition.place()
            for split, partition in self._by_split.items()
            if not partition.paused and not self.caught_up(split)
        ]

    def _stretches(self, messages: Sequence[Message]) -> list[Stretch]:
        if not messages:
            return []
        if len(self._partitions) == 1:
            (only,) = self._partitions.values()
            return [Stretch(only, 0, len(messages))]
        topic = self._one_topic
        keys = (
            [(m.topic(), m.partition()) for m in messages]
            if topic is None
            else list(map(type(messages[0]).partition, messages))
        )
        stretches = []
        first = 0
        for key, group in groupby(keys):
            last = first + len(list(group))
            place = (topic, key) if topic is not None else key
            stretches.append(Stretch(self._partitions[place], first, last))  # type: ignore[index]
            first = last
        return stretches

    def _advance(
        self, messages: Sequence[Message], stretches: list[Stretch]
    ) -> tuple[Sequence[Message], list[Stretch]]:
        """Move positions past what was read; drop what is beyond a partition's end."""
        if any(overruns(stretch.partition, messages[stretch.last - 1]) for stretch in stretches):
            messages, stretches = without_overrun(messages, stretches)
        for stretch in stretches:
            if stretch.first == stretch.last:
                self._move(stretch, stretch.partition.offset, stretch.partition.epoch)
                continue
            newest = messages[stretch.last - 1]
            self._move(stretch, newest.offset() + 1, newest.leader_epoch())
        return messages, stretches

    def _move(self, stretch: Stretch, offset: int, epoch: int | None) -> None:
        partition = stretch.partition
        was_finished = partition.finished()
        stretch.move(offset, epoch)
        if partition.finished() and not was_finished:
            self._consumer.unassign([partition.place()])

    def _events(self, events: Sequence[Message]) -> list[Partition]:
        """Ends of partitions: the position may move over control records; errors are raised."""
        moved = []
        for event in events:
            error = event.error()
            assert error is not None
            if error.code() != clients.PARTITION_EOF:
                self._failed(event, error)
                continue
            partition = self._partitions.get((event.topic(), event.partition()))
            if partition is None or event.offset() < partition.offset or partition.finished():
                continue
            partition.at_end = True
            if event.offset() > partition.offset:
                partition.offset = event.offset()
                moved.append(partition)
            if partition.finished():
                self._consumer.unassign([partition.place()])
        return moved

    def _failed(self, event: Message, error: clients.MessageError) -> None:
        code = error.code()
        topic, number = event.topic(), event.partition()
        if code in _GONE:
            offset, reason = self._offset(topic, number), error.str()
            if any(word in reason for word in _OF_DAMAGE):
                raise damaged(topic, number, offset, reason)
            raise offset_gone(topic, number, offset, reason)
        if code in _NO_TOPIC:
            raise topic_gone(topic)
        if code in _REFUSED:
            raise refused(error.str(), f"topic {topic}" if topic else "")
        if code in _DAMAGED:
            raise damaged(topic, number, self._damaged_at(event), error.str())
        if code not in _PASSING:
            where = f"topic {topic}, partition {number}, offset {self._offset(topic, number)}"
            what = f"it cannot be read: {error.str()}"
            raise KafkaFailure(what, where)

    def _damaged_at(self, event: Message) -> int:
        """Offset of the batch: records after it in the same poll have moved the position."""
        told, position = event.offset(), self._offset(event.topic(), event.partition())
        return min(told, position) if told >= 0 else position

    def _offset(self, topic: str, number: int) -> int:
        partition = self._partitions.get((topic, number))
        return -1 if partition is None else partition.offset

    def _chunk(
        self,
        messages: Sequence[Message],
        stretches: Sequence[Stretch],
        moved: Sequence[Partition],
    ) -> Chunk:
        values = list(map(type(messages[0]).value, messages)) if messages else []
        decoded = self._decoded(messages, values)
        bad = [row.index for row in decoded.rejected]
        runs = _runs(stretches, moved, bad, decoded.frame.height)
        frame = self._with_message_columns(decoded.frame, messages, bad)
        rejected = tuple(self._rejected(messages[r.index], r.reason) for r in decoded.rejected)

        def reject(rows: Sequence[int], reason: str) -> tuple[Rejected, ...]:
            left_out = set(bad)
            kept = [m for i, m in enumerate(messages) if i not in left_out] if bad else messages
            return tuple(self._rejected(kept[row], reason) for row in rows)

        size = payload_bytes(values)
        return Chunk(frame, runs, rejected, reject, size, decoded.unknown)

    def _decoded(self, messages: Sequence[Message], values: Sequence[bytes | None]) -> Decoded:
        if self._upserts is None:
            assert self._decoder is not None
            return self._decoder.decode(values)
        return self._upserts.decode([message.key() for message in messages], values)

    def _with_message_columns(
        self, frame: pl.DataFrame, messages: Sequence[Message], bad: Sequence[int]
    ) -> pl.DataFrame:
        options = self._options
        time = options.event_time is None
        if not (time or options.message_key or options.metadata):
            return frame
        if bad:
            left_out = set(bad)
            messages = [m for index, m in enumerate(messages) if index not in left_out]
        columns = message_columns(messages, options.metadata, time=time, key=options.message_key)
        if TIME in frame.columns:  # of an envelope, where it has one
            columns = [
                frame[TIME].zip_with(frame[TIME].is_not_null(), each) if each.name == TIME else each
                for each in columns
            ]
        return frame.with_columns(columns)

    def _rejected(self, message: Message, reason: str) -> Rejected:
        partition = self._partitions[(message.topic(), message.partition())]
        kind, time = message.timestamp()
        place = {
            "topic": message.topic(),
            "partition": str(message.partition()),
            "offset": str(message.offset()),
        }
        origin = ", ".join(f"{name} {value}" for name, value in place.items())
        return Rejected(
            partition.split,
            origin,
            place,
            message.key(),
            message.value(),
            reason,
            time if kind else None,
            tuple(message.headers() or ()),
        )


def _runs(
    stretches: Sequence[Stretch], moved: Sequence[Partition], bad: Sequence[int], rows: int
) -> tuple[Run, ...]:
    """Runs of a frame without these records, and empty ones of partitions that only moved."""
    runs = []
    for stretch in stretches:
        first = stretch.first - bisect_left(bad, stretch.first) if bad else stretch.first
        last = stretch.last - bisect_left(bad, stretch.last) if bad else stretch.last
        runs.append(Run(stretch.partition.split, first, last, stretch.position))
    return (*runs, *(Run(p.split, rows, rows, p.position()) for p in moved))


def _payload_decoder(format: Format, options: ReadOptions) -> Decoder:  # noqa: A002
    wanted = decode_schema(options)
    names = {n: t for n, t in wanted.columns.items() if n not in options.metadata}
    required = wanted.required & names.keys()
    return record_decoder(format, options, Schema(names, frozenset(required)))
