"""Files of JSON lines, CSV or Parquet as a source (and, through files/sink, as a sink)."""

from __future__ import annotations

import os
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from raystream.connectors.base import (
    Chunk,
    Committer,
    CommitterContext,
    Position,
    ReadOptions,
    Rejected,
    Run,
    SinkWriter,
    SourceReader,
    Split,
    WriteOptions,
)
from raystream.connectors.columns import add_hidden, decode_schema, formats_of_changes
from raystream.connectors.files.cursors import (
    BadRecord,
    Cursor,
    Piece,
    TextCursor,
    with_header,
)
from raystream.connectors.files.lines import first_lines, whole_lines
from raystream.connectors.files.listing import Listing
from raystream.connectors.files.mark import Replaced
from raystream.connectors.files.parquet import (
    ParquetCursor,
    is_whole,
    parquet_rows,
    parquet_schema,
)
from raystream.connectors.files.partitions import check_partitions, without
from raystream.connectors.files.sink import FilesCommitter, FilesWriter, Target
from raystream.connectors.files.taking import ANY, takes
from raystream.context import SubtaskContext
from raystream.data.inference import NoColumns
from raystream.data.schema import Schema
from raystream.errors import ConfigurationError
from raystream.formats.base import Format
from raystream.formats.csv import Csv
from raystream.formats.named import format_by_name
from raystream.graph.origin import at_call
from raystream.ids import SplitId, StepName
from raystream.units import Duration, seconds

PARQUET = "parquet"
_KIND = "files "
"""Prefix of its description."""


@dataclass(frozen=True, slots=True)
class Files:
    """Partitioned files, to read or to write. Each file is a split, read in order.

    As a source, a path is a file, a directory (with its sub-directories) or a glob; names that
    begin with `.` or `_` are skipped. A run that does not tail reads each file to the size it has
    at the start, and ends. As a sink, the path is a directory: each checkpoint adds at most one
    `part-*` file per subtask, renamed from a hidden one when the checkpoint is committed, so that
    no half file is ever visible and each row is in exactly one file.

    Text files hold one record per line. CSV has a header line, unless `Csv(columns=...)` is given.
    A Parquet file is read once it is complete, and never changes: when tailing, only new files are
    awaited. Its types must be those of the columns; values are converted only if none changes,
    else `errors` applies to the row.

    If the part of a file that was read has changed, it is a different file: what was not read of
    the old one is reported as a record that does not fit, to which `errors` of `read` applies; then
    the new one is read from its beginning.

    Args:
        path: Path. A relative path is resolved at once.
        format: `json`, `csv`, `parquet`, or a Format with one record per line.
        tail: Whether to wait for more lines and more files when all is read; an incomplete line
            at the end of a file waits for its rest.
        discovery_interval: How often to look for new files, if the run tails.
        partition_by: Of a sink: columns whose values name directories, as in Hive, instead of
            being in the files: `dt=2026-11-28/hour=10/part-*`. Whole numbers, text, booleans,
            decimals, dates and times.

    Raises:
        ConfigurationError: There is no such format, or an option is wrong.

    >>> import pathlib, tempfile
    >>> folder = pathlib.Path(tempfile.mkdtemp())
    >>> (folder / "day1.jsonl").write_text('{"shop": "a"}')
    13
    >>> rs.Pipeline("example").read(Files(folder)).collect().to_dicts()
    [{'shop': 'a'}]
    """

    path: str | os.PathLike[str]
    format: str | Format = "json"
    tail: bool = False
    discovery_interval: Duration | float = "60s"
    partition_by: str | Sequence[str] = ()

    def __post_init__(self) -> None:
        """Resolve the path, so that other processes see the same, and check the format."""
        with at_call():
            _refuse_url(os.fspath(self.path))
        object.__setattr__(self, "path", os.path.abspath(self.path))
        with at_call():
            object.__setattr__(self, "discovery_interval", _interval(self.discovery_interval))
            object.__setattr__(self, "partition_by", _names(self.partition_by))
            if self.format != PARQUET:
                format_by_name(self.format)

    @property
    def _listing(self) -> Listing:
        return Listing(str(self.path))

    @property
    def _format(self) -> Format:
        return format_by_name(self.format)

    def as_source(self) -> Files:
        """The same, unless it has options that only a write uses.

        Raises:
            ConfigurationError: `partition_by` was given.

        >>> Files("/data", partition_by="day").as_source()
        Traceback (most recent call last):
        raystream.errors.ConfigurationError: files /data: partition_by is an option of a write, ...
        """
        if self.partition_by:
            what = "partition_by is an option of a write, this is a read"
            advice = "leave it out; values in the names of directories are no columns"
            raise ConfigurationError(what, self.describe(), advice)
        return self

    def as_sink(self) -> Files:
        """The same, unless it has options that only a read uses.

        Raises:
            ConfigurationError: `tail` or `discovery_interval` was given.

        >>> Files("/data", tail=True).as_sink()
        Traceback (most recent call last):
        raystream.errors.ConfigurationError: files /data: tail is an option of a read, ...
        """
        for name, default in (("tail", False), ("discovery_interval", 60.0)):
            if getattr(self, name) != default:
                what = f"{name} is an option of a read, this is a write"
                raise ConfigurationError(what, self.describe(), "leave it out")
        return self

    def discover(self, *, bounded: bool) -> list[Split]:
        """One split per file; with an end, unless the run tails."""
        ends = bounded or not self.tail
        return [
            Split(name, self._start(path), self._end(path) if ends else None)
            for name, path in self._files().items()
        ]

    def _files(self) -> dict[SplitId, Path]:
        """Readable files: of Parquet, if it tails, the complete ones."""
        files = self._listing.files()
        if self.format != PARQUET or not self.tail:
            return files
        return {name: path for name, path in files.items() if is_whole(path)}

    def _start(self, path: Path) -> Position:
        if self.format == PARQUET:
            return {"row": 0, "rows": parquet_rows(path)}
        size = path.stat().st_size
        return [0, 0, size] if size else [0, 0]

    def _end(self, path: Path) -> Position:
        if self.format == PARQUET:
            return parquet_rows(path)
        return [whole_lines(path) if self.tail else os.stat(path).st_size, 0]

    def discover_new(self, known: frozenset[SplitId]) -> list[Split]:
        """Files that appeared since, if the run tails."""
        if not self.tail:
            return []
        there = self._files().items()
        return [Split(name, self._start(path)) for name, path in there if name not in known]

    def grows(self) -> bool:
        """Whether it tails: more files may come."""
        return self.tail

    def covers(self, split: SplitId, of: str) -> bool:
        """Whether the name is in the directory; elsewhere it is another file."""
        if not of:
            return True
        return of.startswith(_KIND) and Listing(of.removeprefix(_KIND)).base == self._listing.base

    def reader(self, ctx: SubtaskContext, options: ReadOptions) -> SourceReader:
        """A reader for one subtask."""
        return FilesReader(self, ctx, options)

    def path_of(self, split: SplitId) -> Path:
        """Path of a file."""
        return self._listing.resolve(split)

    def open(self, split: Split, options: ReadOptions) -> Cursor:
        """A cursor at the start of a split."""
        path = self._listing.resolve(split.id)
        if split.end is None and not self.tail:  # not there when the run started
            start = split.start
            split = replace(split, end=start["row"] if isinstance(start, Mapping) else start)
        if self.format == PARQUET:
            return ParquetCursor(path, split, options)
        return TextCursor(path, split, self._format, options, tail=self.tail)

    def anew(self, split: SplitId, *, bounded: bool) -> Split:
        """Split of a file that replaced another, from its beginning.

        >>> from pathlib import Path
        >>> import tempfile
        >>> place = Path(tempfile.mkdtemp(), "clicks.jsonl")
        >>> _ = place.write_text('{"n": 1}')
        >>> Files(place).anew("clicks.jsonl", bounded=True).end[0]
        8
        """
        path = self.path_of(split)
        return Split(split, self._start(path), self._end(path) if bounded else None)

    @property
    def reads_changes(self) -> tuple[str, ...]:
        """Envelopes of Debezium, and logs; lines have no keys.

        >>> Files("users.jsonl").reads_changes, Files("users", format="parquet").reads_changes
        (('debezium', 'log'), ())
        """
        return () if self.format == PARQUET else formats_of_changes(self._format.name)

    def learn(self) -> Schema | None:
        """Schema of the first file whose records yield columns; None if there are no records.

        Raises:
            NoColumns: No record yields columns.
        """
        looked_at = 0
        for path in self._files().values():
            if self.format == PARQUET:
                return parquet_schema(path)
            lines, form = first_lines(path), self._format
            if isinstance(form, Csv) and not form.columns and lines:
                form, lines = with_header(form, path), lines[1:]
            schema = form.infer(lines) if lines else None
            if schema is not None:
                return schema
            looked_at += len(lines)
        if (
            looked_at and self._format.name != "csv"
        ):  # the header line of an empty CSV file is not a record
            raise NoColumns(looked_at, self.describe())
        return None

    def max_parallelism(self) -> int | None:
        """One subtask per file; no limit while there is none, or more may come."""
        return None if self.tail else len(self._listing.files()) or None

    def describe(self) -> str:
        """For people."""
        return f"{_KIND}{self.path}"

    def reads_below(self, directory: str, parts: Sequence[str]) -> bool:
        """Whether it would read files of a sink, or of a job's storage.

        >>> Files("/in/*.jsonl").reads_below("/in", ["part-1.jsonl"])
        True
        """
        return takes(self._listing, directory, parts)

    def writes_below(self) -> tuple[str, Sequence[str]]:
        """Its directory, and a name that a file has below it.

        >>> Files("/out", "parquet").writes_below()
        ('/out', ('part-0.parquet',))
        """
        name = f"part-0.{self._target('', StepName('')).extension}"
        return str(self.path), (*[ANY] * len(self.partition_by), name)

    def check(self, job: str, store_id: str, step: StepName) -> list[str]:
        """Create the output directory.

        Raises:
            ConfigurationError: It is not a directory, or cannot be written to.
        """
        return self._target(store_id, step).check()

    def _target(self, store_id: str, step: StepName) -> Target:
        form = None if self.format == PARQUET else self._format
        return Target(Path(self.path), form, store_id, step, tuple(self.partition_by))

    def check_rows(self, options: WriteOptions) -> None:
        """Refuse rows that the format cannot write, or that cannot be divided."""
        schema = options.schema
        if self.partition_by:
            check_partitions(self.partition_by, schema)
            schema = without(self.partition_by, schema)
        if self.format != PARQUET:
            self._format.encoder(schema)

    def writer(self, ctx: SubtaskContext, options: WriteOptions) -> SinkWriter:
        """A writer for one subtask."""
        return FilesWriter(self._target(ctx.store_id, ctx.step), ctx, options)

    def committer(self, ctx: CommitterContext) -> Committer | None:
        """Phase two: hidden files are renamed."""
        return FilesCommitter(self._target(ctx.store_id, ctx.step))


class FilesReader:
    """Reads the files of one subtask in turn, so that their event times stay close."""

    def __init__(self, source: Files, ctx: SubtaskContext, options: ReadOptions) -> None:
        self._source = source
        self._ctx = ctx
        self._options = options
        self._schema = decode_schema(options)
        self._cursors: dict[SplitId, Cursor] = {}
        self._endless = False
        self._gone: list[Split] = []
        self._paused: frozenset[SplitId] = frozenset()

    def add(self, split: Split) -> None:
        """Start reading this split at `split.start`."""
        self._cursors[split.id] = self._source.open(split, self._options)
        self._endless = self._endless or (split.end is None and self._source.tail)
        if _unread(split) and not self._source.path_of(split.id).exists():
            self._gone.append(split)

    def poll(self, max_rows: int) -> Chunk | None:
        """Up to max_rows rows of the file that has waited longest."""
        if self._gone:
            return self._lost(self._gone.pop())
        for split in [name for name in self._cursors if name not in self._paused]:
            cursor = self._cursors.pop(split)
            self._cursors[split] = cursor
            try:
                piece = cursor.take(max_rows) if cursor.waiting() else None
            except Replaced as other:
                return self._replaced(split, cursor, str(other))
            if piece is not None:
                return self._chunk(split, piece)
        return None

    def _lost(self, split: Split) -> Chunk:
        """Report a file that was removed before it was read to its end as a rejected record."""
        bad, position = _missing(split.start)
        return self._told(split.id, bad, position)

    def _replaced(self, split: SplitId, cursor: Cursor, why: str) -> Chunk:
        """Report the unread rest of the old file as lost; read the new one from its beginning."""
        anew = self._source.anew(split, bounded=not self._endless)
        self._cursors[split] = self._source.open(anew, self._options)
        reason = (
            f"the file was replaced by another one of this name: {why}; what was not read of the "
            "old one is lost; read with errors='skip' to continue with the begin of the new one"
        )
        return self._told(split, BadRecord(cursor.place(), None, reason), anew.start)

    def _told(self, split: SplitId, bad: BadRecord, position: Position) -> Chunk:
        frame = add_hidden(self._schema.empty(), self._options, self._ctx.clock.wall_ms())
        return Chunk(frame, (Run(split, 0, 0, position),), (_rejected(split, bad),))

    def _chunk(self, split: SplitId, piece: Piece) -> Chunk:
        frame = add_hidden(piece.frame, self._options, self._ctx.clock.wall_ms())
        rejected = tuple(_rejected(split, bad) for bad in piece.bad)

        def reject(rows: Sequence[int], reason: str) -> tuple[Rejected, ...]:
            return tuple(_rejected(split, piece.record(row, reason)) for row in rows)

        run = Run(split, 0, frame.height, piece.position)
        return Chunk(frame, (run,), rejected, reject, unknown=piece.unknown)

    def pause(self, splits: frozenset[SplitId]) -> None:
        """Read nothing of these files for now."""
        self._paused = splits

    def caught_up(self, split: SplitId) -> bool:
        """Whether the file was read to its current end."""
        return not self._cursors[split].waiting()

    def finished(self) -> bool:
        """Whether every file has an end and was read to it."""
        waiting = self._gone or any(c.waiting() for c in self._cursors.values())
        return not self._endless and not waiting

    def committed(self, positions: Mapping[SplitId, Position]) -> None:
        """Do nothing: positions in files are not published."""

    def lag(self) -> Mapping[SplitId, int]:
        """Approximate number of records left per file."""
        return {split: cursor.left() for split, cursor in self._cursors.items()}

    def close(self) -> None:
        """Do nothing: no file is open between polls."""


def _unread(split: Split) -> bool:
    """Whether there was more to read when the position was taken."""
    start = split.start
    if isinstance(start, Mapping):
        return bool(start["rows"] > start["row"])
    return isinstance(start, list) and len(start) > 2 and start[2] > start[0]


def _missing(start: Position) -> tuple[BadRecord, Position]:
    """A rejected record for a file that is gone, and the position after it."""
    behind: Position
    if isinstance(start, Mapping):
        row, rows = start["row"], start["rows"]
        place, read, behind = f"row {row}", f"{row} of its {rows} rows", {"row": row, "rows": row}
    else:
        offset, line, size, *_ = start
        place, read, behind = f"line {line + 1}", f"{offset} of its {size} bytes", [offset, line]
    reason = f"the file is gone and was not read to its end: {read} were; put it back"
    return BadRecord(place, None, reason), behind


def _refuse_url(path: str) -> None:
    scheme = re.match(r"[A-Za-z][A-Za-z0-9+.-]+(?=:/)", path)
    if scheme is not None:
        what = f"{path!r} is not a path of files: they are read and written where they are mounted"
        raise ConfigurationError(what, what_to_do="name a directory, or a file or glob to read")


def _rejected(split: SplitId, bad: BadRecord) -> Rejected:
    place = {"file": split, "place": bad.place}
    return Rejected(split, f"file {split}, {bad.place}", place, None, bad.value, bad.reason)


def _interval(given: Duration | float) -> float:
    """Seconds; a number if the value is rebuilt from another of its kind."""
    interval = given if isinstance(given, float) else seconds(given, "discovery_interval")
    if interval <= 0:
        what = "discovery_interval must be more than 0"
        raise ConfigurationError(what)
    return interval


def _names(given: str | Sequence[str]) -> tuple[str, ...]:
    """Columns; one may be given by itself."""
    names = (given,) if isinstance(given, str) else tuple(given)
    wrong = next((name for name in names if not isinstance(name, str) or not name), None)
    twice = next((name for name in names if names.count(name) > 1), None)
    if wrong is not None or twice is not None:
        why = f"has {twice!r} twice" if wrong is None else f"takes names of columns, not {wrong!r}"
        what = f"partition_by {why}"
        raise ConfigurationError(what, what_to_do="name each column once")
    return names
