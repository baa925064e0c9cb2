"""Optional traits of sources and sinks beyond connectors.base: declared and checked only here.

A connector of another package has a trait by having its members; it need not import anything.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any, Protocol

if TYPE_CHECKING:
    from raystream.connectors.base import WriteOptions
    from raystream.data.schema import Schema

USUAL_INTERVAL = 60.0
"""Default seconds between two searches for new splits."""


class Readable(Protocol):
    """A name that is read as a source, such as a topic with options."""

    def as_source(self) -> Any:
        """The source.

        Raises:
            ConfigurationError: its options are not those of a source.
        """
        ...


class Writable(Protocol):
    """A name that is written as a sink, such as a topic with options."""

    def as_sink(self) -> Any:
        """The sink.

        Raises:
            ConfigurationError: its options are not those of a sink.
        """
        ...


class RecordMetadata(Protocol):
    """A source whose records have a key, a timestamp, headers, like those of Kafka."""

    def metadata_columns(self) -> Schema:
        """The columns that the source derives from them."""
        ...


class RecordKey(Protocol):
    """A sink with a configurable record key."""

    @property
    def key(self) -> str | None:
        """A column; None: the key of the rows."""
        ...


class ChecksRows(Protocol):
    """A sink that cannot write all rows."""

    def check_rows(self, options: WriteOptions) -> None:
        """Refuse rows that cannot be written, before anything runs.

        Raises:
            ConfigurationError: columns, or a key, that do not fit.
        """
        ...


class Upserting(Protocol):
    """A sink that keeps the last row of each key: `write(sink, changes="upsert")`."""

    @property
    def takes_upserts(self) -> bool:
        """Whether its writers take WriteOptions.upserts."""
        ...


class Steady(Protocol):
    """A sink whose writers take a batch in milliseconds, however many rows it has."""

    @property
    def is_steady(self) -> bool:
        """Whether batches need not begin with a single row, to find out what a row costs."""
        ...


class OfChanges(Protocol):
    """A source whose records may change rows: `read(source, changes="upsert", key=..)`."""

    @property
    def reads_changes(self) -> Sequence[str]:
        """Words of data.changes.ReadChanges: its readers take ReadOptions.changes."""
        ...


class Discovering(Protocol):
    """A source that looks for new splits."""

    @property
    def discovery_interval(self) -> float | None:
        """Seconds between two searches."""
        ...


class OfTopics(Protocol):
    """A source or sink that people identify by its topic."""

    @property
    def topics(self) -> Sequence[str]:
        """Names."""
        ...


class InFiles(Protocol):
    """A source or sink in files."""

    @property
    def path(self) -> str | os.PathLike[str]:
        """Path of the files."""
        ...


class ReadsBelow(Protocol):
    """A source that reads files which come into a directory."""

    def reads_below(self, directory: str, parts: Sequence[str]) -> bool:
        """Whether it would read a file that comes there."""
        ...


class WritesBelow(Protocol):
    """A sink that adds files to a directory."""

    def writes_below(self) -> tuple[str, Sequence[str]]:
        """The directory, and a path of a file below it."""
        ...


class OnCluster(Protocol):
    """A source or sink on a Kafka cluster."""

    @property
    def connection(self) -> Any:
        """The cluster."""
        ...


def _with(end: object, member: str) -> Any:
    return end if hasattr(end, member) else None


def source_of(end: object) -> Any:
    """The source that a read uses. The type decides: a wrapper that forwards all is not unwrapped.

    Raises:
        ConfigurationError: options of a sink.
    """
    found: Readable | None = _of_type(end, "as_source")
    return end if found is None else found.as_source()


def sink_of(end: object) -> Any:
    """The sink that a write uses.

    Raises:
        ConfigurationError: options of a source.
    """
    found: Writable | None = _of_type(end, "as_sink")
    return end if found is None else found.as_sink()


def _of_type(end: object, member: str) -> Any:
    return end if hasattr(type(end), member) else None


def metadata_columns(end: object) -> Schema | None:
    """Columns that a source derives from record metadata; None: it has none.

    >>> metadata_columns(rs.Rows([])) is None
    True
    """
    found: RecordMetadata | None = _with(end, "metadata_columns")
    return None if found is None else found.metadata_columns()


def has_record_keys(end: object) -> bool:
    """Whether records of a source or sink have a key."""
    return _with(end, "metadata_columns") is not None or _with(end, "key") is not None


def own_key(sink: object) -> str | None:
    """The column that becomes the key of its records, if configured."""
    found: RecordKey | None = _with(sink, "key")
    return None if found is None else found.key


def takes_upserts(sink: object) -> bool:
    """Whether a sink sets and removes rows by key.

    >>> takes_upserts(rs.Collect()), takes_upserts(rs.Files("out"))
    (True, False)
    """
    found: Upserting | None = _with(sink, "takes_upserts")
    return found is not None and found.takes_upserts


def is_steady(sink: object) -> bool:
    """Whether rows for a sink need not be tried out one by one: ours, and those that say so.

    >>> is_steady(rs.Files("out")), is_steady(object())
    (True, False)
    """
    found: Steady | None = _with(sink, "is_steady")
    return type(sink).__module__.startswith("raystream.") or (found is not None and found.is_steady)


def reads_changes(source: object) -> Sequence[str]:
    """Values of `changes=` with which a source can be read.

    >>> reads_changes(rs.Payloads([])), reads_changes(rs.Datagen())
    (('debezium', 'log'), ())
    """
    found: OfChanges | None = _with(source, "reads_changes")
    return () if found is None else found.reads_changes


def row_check(sink: object) -> Callable[[WriteOptions], None] | None:
    """The check that refuses rows that a sink cannot write, if it has one."""
    found: ChecksRows | None = _with(sink, "check_rows")
    return None if found is None else found.check_rows


def discovery_interval(source: object) -> float:
    """Seconds between two searches for new splits.

    >>> discovery_interval(rs.Rows([]))
    60.0
    """
    found: Discovering | None = _with(source, "discovery_interval")
    return float((found.discovery_interval if found is not None else None) or USUAL_INTERVAL)


def topics_of(end: object) -> Sequence[str]:
    """Topics of a source or sink; empty if it has no topics."""
    found: OfTopics | None = _with(end, "topics")
    return () if found is None else found.topics


def path_of(end: object) -> str | None:
    """Path of the files of a source or sink; None: it is not in files."""
    found: InFiles | None = _with(end, "path")
    return None if found is None or found.path is None else os.fspath(found.path)


def reads_below(source: object, directory: str, parts: Sequence[str]) -> bool:
    """Whether a source would read a file that comes below a directory."""
    found: ReadsBelow | None = _with(source, "reads_below")
    return found is not None and found.reads_below(directory, parts)


def reads_what_it_writes(source: object, sink: object) -> bool:
    """Whether a source would read the files of a sink.

    >>> reads_what_it_writes(rs.Files("/data/*"), rs.Files("/data"))
    True
    """
    found: WritesBelow | None = _with(sink, "writes_below")
    return found is not None and reads_below(source, *found.writes_below())


def cluster_of(end: object) -> Any:
    """The Kafka cluster of a source or sink; None: it has none."""
    found: OnCluster | None = _with(end, "connection")
    return None if found is None else found.connection
