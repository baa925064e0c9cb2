"""Sources and sinks of a pipeline file as the values that Python would make."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from raystream.config.check import Value
from raystream.config.end_forms import SECURITY
from raystream.connectors.registry import SINKS, SOURCES, other_sinks, other_sources
from raystream.errors import ConfigurationError
from raystream.formats.registry import other_formats

_CONFIGS = ("consumer_config", "producer_config")
_SOURCE = ("group_id", "starting_offsets", "metadata", "discovery_interval", "key_format")


@dataclass(frozen=True, slots=True)
class NamedFormat:
    """A format that is loaded when it is first used: checking a file needs none.

    Args:
        name: `json`, `raw`, `csv`, or one of another package.
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
        """`rs.Kafka(..).topic(..)`, `rs.Files(..)`, `rs.Datagen(..)`, or one of another package."""
        name, end = source_in(value)
        if name == "kafka":
            return self._topic(end, _SOURCE)
        if name == "files":
            return _files(end)
        if name == "datagen":
            return _datagen(end, value.get("schema"))
        return _made(other_sources()[name], end)

    def sink(self, value: Value) -> Any:
        """`rs.Kafka(..).topic(..)`, `rs.Files(..)`, or one of another package."""
        name, end = sink_in(value)
        if name == "files":
            return _files(end)
        if name != "kafka":
            return _made(other_sinks()[name], end)
        options = ("key", "timestamp", "headers", "delivery_guarantee")
        return self._topic(end, (*options, "transaction_timeout", "transactional_id_prefix"))

    def _topic(self, value: Value, options: tuple[str, ...]) -> Any:
        from raystream.connectors.kafka.connection import Kafka

        written = self._connection(value)
        address = written["bootstrap_servers"].plain()
        security = {name: written[name].data for name in SECURITY if name in written}
        configs = {name: written[name].plain() for name in _CONFIGS if name in written}
        cluster = Kafka(address, **configs, **security)
        given = {name: value[name].plain() for name in options if value.get(name) is not None}
        return cluster.topic(_topics(value["topic"]), format=self._format(value), **given)

    def _connection(self, value: Value) -> dict[str, Value]:
        """Address and security; what stands beside `connection` wins."""
        name = value.get("connection")
        shared = self._connections[name.data]["kafka"].data if name is not None else {}
        return {**shared, **value.data}

    def _format(self, value: Value) -> Any:
        written = value.get("format")
        if written is None or isinstance(written.data, str):
            name = written.data if written is not None else "json"
            return name if self._to_run else NamedFormat(name)
        return _detailed(written)


def source_in(value: Value) -> tuple[str, Value]:
    """The name and the options of what a source reads."""
    return next((n, v) for n, v in value.data.items() if n in (*SOURCES, *other_sources()))


def sink_in(value: Value) -> tuple[str, Value]:
    """The name and the options of what a sink writes."""
    return next((n, v) for n, v in value.data.items() if n in (*SINKS, *other_sinks()))


def _topics(value: Value) -> Any:
    pattern = value.get("pattern")
    if pattern is None:
        return value.plain()
    from raystream.connectors.kafka.topic_pattern import TopicPattern

    return TopicPattern(pattern.plain())


def _detailed(value: Value) -> Any:
    name, given = next((n, v) for n, v in value.data.items() if v is not None)
    if name == "json":
        from raystream.formats.json import Json

        return Json(**given.plain())
    if name != "csv":
        return _made(other_formats()[name], given)
    from raystream.formats.csv import Csv

    options = given.plain()
    return Csv(**{**options, "columns": tuple(options.get("columns", ()))})


def _made(kind: Any, options: Value) -> Any:
    """A source, sink or format of another package, whose own checks may refuse the options."""
    try:
        return kind(**options.plain())
    except (TypeError, ValueError) as error:
        what = f"{kind.__name__} takes no such options: {error}"
        raise ConfigurationError(what) from None


def _files(value: Value) -> Any:
    from raystream.connectors.files.source import Files

    return Files(**value.plain())


def _datagen(value: Value, schema: Value | None) -> Any:
    from raystream.connectors.datagen import Datagen

    options: dict[str, Any] = value.plain()
    if schema is not None:
        options["schema"] = schema.plain()
    return Datagen(**options)
