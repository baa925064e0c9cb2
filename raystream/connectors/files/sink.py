"""Write files exactly once: hidden until their checkpoint is committed, then renamed."""

from __future__ import annotations

import os
import re
from collections import deque
from collections.abc import Sequence
from concurrent.futures import Future
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import polars as pl

from raystream.checkpoint.records import Committable
from raystream.connectors.base import AbortVerdict, Problem, Verdict, WriteOptions
from raystream.connectors.files.hidden import (
    PENDING,
    PROMISED,
    SHOWING,
    is_below,
    removed,
    show,
    sync_directory,
)
from raystream.connectors.files.partitioned import PartitionedPart
from raystream.connectors.files.partitions import without
from raystream.connectors.files.parts import BUFFER, SMALL_BUFFER, ParquetPart, Part, TextPart
from raystream.context import SubtaskContext
from raystream.data.schema import Schema
from raystream.errors import ConfigurationError, StorageError
from raystream.formats.base import Format
from raystream.ids import StepName
from raystream.observe.metrics import NULLED

_EXTENSIONS = {"json": "jsonl", "csv": "csv"}


@dataclass(frozen=True, slots=True)
class Target:
    """A directory that one sink step writes to, and the names of its files.

    Args:
        directory: The directory.
        form: Format of text files; None: Parquet.
        store_id: Of the job's storage: two jobs never use the same name.
        step: Name of the sink step.
        partition_by: Columns whose values name directories.
    """

    directory: Path
    form: Format | None
    store_id: str
    step: StepName
    partition_by: tuple[str, ...] = ()

    @property
    def extension(self) -> str:
        """`jsonl`, `csv`, `parquet`, or the name of the format."""
        return "parquet" if self.form is None else _EXTENSIONS.get(self.form.name, self.form.name)

    def name(self, attempt: int, subtask: int, number: int) -> str:
        """Visible name of one part; an attempt is never reused, so neither is a name."""
        part = f"part-{self.store_id}-{self.step}-a{attempt}-s{subtask}-n{number}"
        return f"{part}.{self.extension}"

    def visible(self, name: str) -> Path:
        """Path of a part after commit.

        Raises:
            StorageError: this is not a name that this step creates: it may lead anywhere.
        """
        return self.directory / self._checked(name)

    def hidden(self, name: str) -> Path:
        """Path of a part before commit.

        Raises:
            StorageError: this is not a name that this step creates.
        """
        return self.directory / f".{self._checked(name)}{PENDING}"

    def _checked(self, name: str) -> str:
        stem = re.escape(f"part-{self.store_id}-{self.step}")
        if re.fullmatch(rf"{stem}-a\d+-s\d+-n\d+\.\w+", name) is None:
            what = f"{name!r} is not a file that step {self.step!r} writes"
            advice = "the checkpoint storage may be damaged or tampered with"
            raise StorageError(what, str(self.directory), advice)
        return name

    def strays(self, before_attempt: int) -> list[Path]:
        """Hidden parts of this step, and promises, of attempts older than `before_attempt`."""
        stem = re.escape(f".part-{self.store_id}-{self.step}")
        pattern = re.compile(
            rf"{stem}-a(\d+)-s\d+-n\d+\.\w+({re.escape(PENDING)}|{re.escape(PROMISED)})"
        )
        found = ((path, pattern.fullmatch(path.name)) for path in self._paths())
        return [path for path, match in found if match and int(match[1]) < before_attempt]

    def _paths(self) -> list[Path]:
        return sorted(self.directory.iterdir()) if self.directory.is_dir() else []

    def check(self) -> list[str]:
        """Create the directory.

        Raises:
            ConfigurationError: It is not a directory, or cannot be written to.
        """
        try:
            self.directory.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            what = f"cannot write files to {self.directory}: {error.strerror}"
            raise ConfigurationError(what, what_to_do="name another directory") from error
        if not os.access(self.directory, os.W_OK | os.X_OK):
            what = f"cannot write files to {self.directory}: permission denied"
            raise ConfigurationError(what, what_to_do="name another directory")
        return []

    def rename(self, name: str) -> bool:
        """Make a part visible, durably; False if it is neither hidden nor visible.

        A part in directories is hidden in one. The columns that name them may be others by now.

        A reader may remove the visible file at once, before the commit is recorded. So a promise is
        written first, durably: if only the promise is left, the file was visible.
        """
        hidden = self.hidden(name)
        if hidden.exists():
            os.close(os.open(self._promise(name), os.O_CREAT | os.O_WRONLY, 0o600))
            sync_directory(self.directory)
        showing = self._showing(name)
        try:
            os.rename(hidden, showing if hidden.is_dir() else self.visible(name))
        except FileNotFoundError:  # it was renamed before, by us or by a zombie
            if not self.was_shown(name):
                return False
        sync_directory(self.directory)
        show(showing, self.directory)
        sync_directory(self.directory)
        return True

    def was_shown(self, name: str) -> bool:
        """Whether a part that is no longer hidden was visible, even if a reader removed it."""
        known = (self.visible(name), self._promise(name), self._showing(name))
        return any(path.exists() for path in known) or is_below(self.directory, name)

    def forget(self, name: str) -> bool:
        """Remove the promise of a part whose commit is recorded. Returns whether it is gone."""
        return removed(self._promise(name))

    def _showing(self, name: str) -> Path:
        return self.directory / f".{self._checked(name)}{SHOWING}"

    def _promise(self, name: str) -> Path:
        return self.directory / f".{self._checked(name)}{PROMISED}"


class FilesWriter:
    """Writes the rows of one subtask; each checkpoint closes one hidden file."""

    def __init__(self, target: Target, ctx: SubtaskContext, options: WriteOptions) -> None:
        self._target = target
        self._ctx = ctx
        self._options = options
        self._part: Part | None = None
        self._name = ""
        self._number = 0
        self._promised: deque[tuple[int, str]] = deque()

    def write(self, frame: pl.DataFrame) -> None:
        """Append these rows to the hidden file."""
        if not frame.height:
            return
        if self._options.schema.open:
            self._options = self._options.told_by(Schema.of_frame(frame.schema))
        if self._part is None:
            self._part = self._next_part()
        before = self._part.nulled
        self._part.write(frame.select(self._options.schema.names()))
        self._ctx.count(NULLED, self._part.nulled - before)

    def _next_part(self) -> Part:
        self._number += 1
        ctx = self._ctx
        self._name = self._target.name(ctx.attempt, ctx.subtask.index, self._number)
        path = self._target.hidden(self._name)
        columns = self._target.partition_by
        if not columns:
            return self._file(path, self._options.schema, BUFFER)
        schema = without(columns, self._options.schema)
        make = partial(self._file, schema=schema, buffer=SMALL_BUFFER)
        return PartitionedPart(path, self._name, columns, make)

    def _file(self, path: Path, schema: Schema, buffer: int) -> Part:
        if self._target.form is None:
            return ParquetPart(path)
        return TextPart(path, self._target.form, schema, buffer=buffer)

    def has_room(self) -> bool:
        """Always has room: the page cache buffers."""
        return True

    def prepare(self, checkpoint: int, *, final: bool) -> Future[Committable | None]:
        """Close the hidden file and make it durable, in the background."""
        part, self._part = self._part, None
        if part is None:
            nothing: Future[Committable | None] = Future()
            nothing.set_result(None)
            return nothing
        self._promised.append((checkpoint, self._name))
        return self._ctx.background.submit(self._finish, part, self._name)

    def _finish(self, part: Part, name: str) -> Committable | None:
        part.finish(sync=self._options.guarantee != "none")
        sync_directory(self._target.directory)
        if self._options.guarantee != "exactly_once":
            self._target.rename(name)
            self._target.forget(name)
            return None
        ctx = self._ctx
        return Committable(ctx.step, ctx.subtask.index, part.rows, (name,), name)

    def committed(self, checkpoint: int) -> None:
        """Drop promises: the committer renamed the file, and `done` records that permanently."""
        while self._promised and self._promised[0][0] <= checkpoint:
            self._target.forget(self._promised.popleft()[1])

    def oldest_transaction_age_s(self) -> float:
        """Return 0: it opens no transaction on a broker."""
        return 0.0

    def poll(self, now: float) -> float | None:
        """Do nothing: errors are reported by the future of `prepare`."""
        return None

    def close(self) -> None:
        """Remove the file that no checkpoint can name."""
        part, self._part = self._part, None
        if part is not None:
            part.discard()


class FilesCommitter:
    """Phase two: a hidden file gets its visible name. A handle is the visible name.

    A handle comes from storage: one that this step cannot have created is a StorageError.
    """

    def __init__(self, target: Target) -> None:
        self._target = target

    def check(self, committables: Sequence[Committable]) -> list[Problem]:
        """Every hidden file must be where this process can rename it."""
        reason = (
            f"hidden file is not in {self._target.directory} as the coordinator sees it; "
            "on several nodes the directory must be shared"
        )
        hidden = self._target.hidden
        return [Problem(c, reason) for c in committables if not hidden(c.handle).exists()]

    def commit(self, committables: Sequence[Committable]) -> list[Verdict]:
        """Rename; idempotent."""
        return [self._commit(committable.handle) for committable in committables]

    def _commit(self, name: str) -> Verdict:
        try:
            return Verdict.COMMITTED if self._target.rename(name) else Verdict.LOST
        except PermissionError:
            return Verdict.REFUSED
        except OSError:
            return Verdict.AGAIN

    def abort(self, committables: Sequence[Committable]) -> list[AbortVerdict]:
        """Remove hidden files."""
        return [self._abort(committable.handle) for committable in committables]

    def _abort(self, name: str) -> AbortVerdict:
        target, hidden = self._target, self._target.hidden(name)
        if target.visible(name).exists() or (target.was_shown(name) and not hidden.exists()):
            return AbortVerdict.PARTLY_COMMITTED
        gone = removed(hidden) and target.forget(name)
        return AbortVerdict.ABORTED if gone else AbortVerdict.AGAIN

    def abort_strays(self, before_attempt: int) -> int:
        """Remove the files of dead attempts; returns how many could not be removed."""
        return sum(not removed(path) for path in self._target.strays(before_attempt))

    def close(self) -> None:
        """Do nothing."""
