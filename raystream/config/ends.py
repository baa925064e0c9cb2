"""Sources and sinks of a pipeline file as the values that Python would make."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from raystream.config.check import Value
from raystream.config.end_forms import SECURITY

_CONFIGS = ("consumer_config", "producer_config")
_SOURCE = ("group_id", "starting_offsets", "metadata", "discovery_interval")


@dataclass(frozen=True, slots=True)
class NamedFormat:
    """A format that is loaded when it is first used: checking a file needs none.

    Args:
        name: `json`, `raw`, `csv`.
    """

    name: str

    def decoder(self, schema: Any) -> Any:
        """That of the format."""
        return self._format.decoder(schema)

    def encoder(self, schema: Any) -> Any:
        """That of the format."""
        return self._format.encoder(schema)

    def infer(self, payloads: Any) -> Any:
        """That of the format."""
        return self._format.infer(payloads)

    @property
    def _format(self) -> Any:
        from raystream.formats.named import format_by_name

        return format_by_name(self.name)


class Ends:
    """Makes sources and sinks.

    Args:
        connections: By name.
        to_run: Formats are loaded at once.
    """

    def __init__(self, connections: Mapping[str, Value], *, to_run: bool) -> None:
        self._connections = connections
        self._to_run = to_run

    def source(self, value: Value) -> Any:
        """`rs.Kafka(..).topic(..)`, `rs.Files(..)` or `rs.Datagen(..)`."""
        kafka, files, datagen = value.get("kafka"), value.get("files"), value.get("datagen")
        if kafka is not None:
            return self._topic(kafka, _SOURCE)
        if files is not None:
            return _files(files)
        assert datagen is not None
        return _datagen(datagen, value.get("schema"))

    def sink(self, value: Value) -> Any:
        """`rs.Kafka(..).topic(..)` or `rs.Files(..)`."""
        kafka, files = value.get("kafka"), value.get("files")
        if kafka is None:
            assert files is not None
            return _files(files)
        options = ("key", "timestamp", "headers", "delivery_guarantee")
        return self._topic(kafka, (*options, "transaction_timeout", "transactional_id_prefix"))

    def _topic(self, value: Value, options: tuple[str, ...]) -> Any:
        from raystream.connectors.kafka.connection import Kafka

        said = self._connection(value)
        address = said["bootstrap_servers"].plain()
        security = {name: said[name].data for name in SECURITY if name in said}
        configs = {name: said[name].plain() for name in _CONFIGS if name in said}
        cluster = Kafka(address, **configs, **security)
        given = {name: value[name].plain() for name in options if value.get(name) is not None}
        return cluster.topic(_topics(value["topic"]), format=self._format(value), **given)

    def _connection(self, value: Value) -> dict[str, Value]:
        """Address and security; what stands beside `connection` wins."""
        name = value.get("connection")
        shared = self._connections[name.data]["kafka"].data if name is not None else {}
        return {**shared, **value.data}

    def _format(self, value: Value) -> Any:
        said = value.get("format")
        if said is None or isinstance(said.data, str):
            name = said.data if said is not None else "json"
            return name if self._to_run else NamedFormat(name)
        return _detailed(said)


def _topics(value: Value) -> Any:
    pattern = value.get("pattern")
    if pattern is None:
        return value.plain()
    from raystream.connectors.kafka.topic_pattern import TopicPattern

    return TopicPattern(pattern.plain())


def _detailed(value: Value) -> Any:
    json, csv = value.get("json"), value.get("csv")
    if json is not None:
        from raystream.formats.json import Json

        return Json(**json.plain())
    from raystream.formats.csv import Csv

    assert csv is not None
    options = csv.plain()
    return Csv(**{**options, "columns": tuple(options.get("columns", ()))})


def _files(value: Value) -> Any:
    from raystream.connectors.files.source import Files

    return Files(**value.plain())


def _datagen(value: Value, schema: Value | None) -> Any:
    from raystream.connectors.datagen import Datagen

    options: dict[str, Any] = value.plain()
    if schema is not None:
        options["schema"] = schema.plain()
    return Datagen(**options)
