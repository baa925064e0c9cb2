"""A sink of another package: rows as JSON into a table of SQLite, exactly once.

Phase one writes the rows of a checkpoint under a handle into `pending`; phase two moves them into
`rows` and remembers the handle, in one transaction, so that it can be repeated.
"""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Sequence
from concurrent.futures import Future
from contextlib import closing
from dataclasses import dataclass
from typing import Any

import polars as pl

from raystream.checkpoint.records import Committable
from raystream.connectors.base import AbortVerdict, CommitterContext, Problem, Verdict, WriteOptions
from raystream.context import SubtaskContext

_TABLES = """
CREATE TABLE IF NOT EXISTS rows (value TEXT);
CREATE TABLE IF NOT EXISTS pending (handle TEXT, attempt INTEGER, value TEXT);
CREATE TABLE IF NOT EXISTS done (handle TEXT PRIMARY KEY);
"""


@dataclass(frozen=True, slots=True)
class Sqlite:
    """Writes to the table `rows` of a database file that all subtasks see."""

    path: str

    def check(self, job: str, store_id: str, step: str) -> list[str]:
        """Make the tables."""
        with closing(sqlite3.connect(self.path)) as database:
            database.executescript(_TABLES)
        return []

    def writer(self, ctx: SubtaskContext, options: WriteOptions) -> SqliteWriter:
        """For one subtask."""
        return SqliteWriter(self.path, ctx, options)

    def committer(self, ctx: CommitterContext) -> SqliteCommitter:
        """Phase two."""
        return SqliteCommitter(self.path)

    def describe(self) -> str:
        """For people."""
        return f"sqlite {self.path}"


class SqliteWriter:
    """Keeps the rows of one checkpoint until it is prepared."""

    def __init__(self, path: str, ctx: SubtaskContext, options: WriteOptions) -> None:
        self._path, self._ctx, self._options = path, ctx, options
        self._rows: list[dict[str, Any]] = []

    def write(self, frame: pl.DataFrame) -> None:
        """Take rows, without the engine's own columns."""
        self._rows += frame.select(self._options.schema.names()).to_dicts()

    def has_room(self) -> bool:
        """Memory is the buffer here."""
        return True

    def prepare(self, checkpoint: int, *, final: bool) -> Future[Committable | None]:
        """Phase one, in the background."""
        rows, self._rows = self._rows, []
        return self._ctx.background.submit(self._stored, rows, checkpoint)

    def _stored(self, rows: list[dict[str, Any]], checkpoint: int) -> Committable | None:
        if not rows:
            return None
        me = self._ctx
        handle = f"{me.job}/{me.step}/{me.attempt}/{me.subtask.index}/{checkpoint}"
        values = [(handle, me.attempt, json.dumps(row)) for row in rows]
        with closing(sqlite3.connect(self._path)) as database, database:
            database.executemany("INSERT INTO pending VALUES (?, ?, ?)", values)
        return Committable(me.step, me.subtask.index, len(rows), (self._path,), handle)

    def committed(self, checkpoint: int) -> None:
        """The committer has done everything."""

    def poll(self, now: float) -> float | None:
        """The future of prepare tells of errors."""
        return None

    def oldest_transaction_age_s(self) -> float:
        """Nothing is open that could time out."""
        return 0.0

    def close(self) -> None:
        """Rows of no checkpoint are dropped: they will be read again."""


class SqliteCommitter:
    """Phase two; blocking."""

    def __init__(self, path: str) -> None:
        self._path = path

    def check(self, committables: Sequence[Committable]) -> list[Problem]:
        """The rows must still be there."""
        with closing(sqlite3.connect(self._path)) as database:
            held = {handle for (handle,) in database.execute("SELECT handle FROM pending")}
        return [Problem(one, "its rows are gone") for one in committables if one.handle not in held]

    def commit(self, committables: Sequence[Committable]) -> list[Verdict]:
        """Once each, however often it is asked."""
        return [self._commit(one.handle) for one in committables]

    def _commit(self, handle: str) -> Verdict:
        with closing(sqlite3.connect(self._path)) as database, database:
            database.execute("BEGIN IMMEDIATE")
            if database.execute("SELECT 1 FROM done WHERE handle = ?", (handle,)).fetchone():
                return Verdict.COMMITTED
            moved = "INSERT INTO rows SELECT value FROM pending WHERE handle = ?"
            if not database.execute(moved, (handle,)).rowcount:
                return Verdict.LOST
            database.execute("DELETE FROM pending WHERE handle = ?", (handle,))
            database.execute("INSERT INTO done VALUES (?)", (handle,))
        return Verdict.COMMITTED

    def abort(self, committables: Sequence[Committable]) -> list[AbortVerdict]:
        """Only for a rollback."""
        return [self._abort(one.handle) for one in committables]

    def _abort(self, handle: str) -> AbortVerdict:
        with closing(sqlite3.connect(self._path)) as database, database:
            database.execute("BEGIN IMMEDIATE")
            if database.execute("SELECT 1 FROM done WHERE handle = ?", (handle,)).fetchone():
                return AbortVerdict.PARTLY_COMMITTED
            database.execute("DELETE FROM pending WHERE handle = ?", (handle,))
        return AbortVerdict.ABORTED

    def abort_strays(self, before_attempt: int) -> int:
        """What older attempts left, once recovery has committed what is to be committed."""
        with closing(sqlite3.connect(self._path)) as database, database:
            database.execute("DELETE FROM pending WHERE attempt < ?", (before_attempt,))
        return 0

    def close(self) -> None:
        """Nothing stays open."""
