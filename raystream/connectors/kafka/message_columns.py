"""Record metadata as columns: key, timestamp, headers, place."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import polars as pl

from raystream.connectors.kafka.clients import Message
from raystream.data.batch import MESSAGE_KEY, TIME
from raystream.data.schema import Schema

HEADERS = pl.List(pl.Struct({"name": pl.String(), "value": pl.Binary()}))

_TYPES: Mapping[str, pl.DataType] = {
    "key": pl.Binary(),
    "timestamp": pl.Int64(),
    "headers": HEADERS,
    "topic": pl.String(),
    "partition": pl.Int64(),
    "offset": pl.Int64(),
}


def metadata_schema(names: Sequence[str]) -> Schema:
    """Types of these metadata columns.

    >>> metadata_schema(["offset"]).columns
    {'offset': Int64}
    """
    return Schema({name: _TYPES[name] for name in names})


def message_columns(
    messages: Sequence[Message], metadata: Sequence[str], *, time: bool, key: bool
) -> list[pl.Series]:
    """Columns of these records.

    Args:
        messages: The records.
        metadata: Requested metadata columns.
        time: Also data.batch.TIME from the record timestamp.
        key: Also data.batch.MESSAGE_KEY.
    """
    columns = [pl.Series(name, _VALUES[name](messages), _TYPES[name]) for name in metadata]
    if time:
        columns.append(pl.Series(TIME, _timestamps(messages), pl.Int64))
    if key:
        columns.append(pl.Series(MESSAGE_KEY, _keys(messages), pl.Binary))
    return columns


def _keys(messages: Sequence[Message]) -> list[bytes | None]:
    return [message.key() for message in messages]


def _timestamps(messages: Sequence[Message]) -> list[int | None]:
    stamps = [message.timestamp() for message in messages]
    return [time if kind else None for kind, time in stamps]


def _headers(messages: Sequence[Message]) -> list[list[dict[str, Any]]]:
    return [
        [{"name": name, "value": value} for name, value in message.headers() or ()]
        for message in messages
    ]


_VALUES: Mapping[str, Callable[[Sequence[Message]], list[Any]]] = {
    "key": _keys,
    "timestamp": _timestamps,
    "headers": _headers,
    "topic": lambda messages: [message.topic() for message in messages],
    "partition": lambda messages: [message.partition() for message in messages],
    "offset": lambda messages: [message.offset() for message in messages],
}
