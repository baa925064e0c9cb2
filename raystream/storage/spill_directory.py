"""SpillDirectory: a subtask's directory on local disk for state that does not fit into memory.

It is worth nothing to another process: a restart reads checkpoints. A lock beside the directory is
held by the process that uses it, so whoever comes later removes what killed processes left behind.
"""

from __future__ import annotations

import errno
import fcntl
import os
import re
import shutil
import tempfile
import weakref
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from uuid import uuid4

import polars as pl

from raystream.data.spilled import Spilled
from raystream.errors import StorageError
from raystream.storage.mapped_frame import is_mappable, map_frame, map_stream, write_frame

_LOCK = ".lock"
_FULL = frozenset({errno.ENOSPC, errno.EDQUOT})


def default_root() -> Path:
    """Where state is spilled to by default: `raystream-state-<uid>` in $TMPDIR, or /tmp."""
    return Path(tempfile.gettempdir(), f"raystream-state-{os.getuid()}")


class SpillDirectory:
    """Files of spilled runs; the directory is made with the first one.

    Args:
        root: Local directory, shared by all jobs of this machine; None: `default_root`.
        name: Of the subtask, for people.

    >>> from tempfile import TemporaryDirectory
    >>> with TemporaryDirectory() as root:
    ...     spills = SpillDirectory(Path(root), "counts-0")
    ...     spilled = spills.spill(pl.DataFrame({"k": ["a", "b"]}))
    ...     spilled.frame["k"].to_list(), spilled.disk > 0
    ...     spills.close()
    (['a', 'b'], True)
    """

    def __init__(self, root: Path | None, name: str) -> None:
        self.root = default_root() if root is None else root
        self._name = f"{name}-{os.getpid()}-{uuid4().hex[:8]}"
        self._path: Path | None = None
        self._files = 0
        self._delete: Callable[[], object] = lambda: None

    def spill(self, frame: pl.DataFrame) -> Spilled:
        """Write a frame, and map it; its file is deleted when nobody uses the rows any more.

        Raises:
            StorageError: the disk is full, or the directory cannot be written.
        """
        names = [name for name, kind in frame.schema.items() if is_mappable(kind)]
        if not names:
            return Spilled(frame, 0, int(frame.estimated_size()))
        part = frame.select(names)
        path = self._next()
        try:
            write_frame(part, path)
        except OSError as error:
            path.unlink(missing_ok=True)
            raise _failed(error, self.root) from error
        mapped = map_frame(path, part.schema)
        size = path.stat().st_size
        rest = frame.drop(names)
        whole = mapped if not rest.width else mapped.hstack(rest).select(frame.columns)
        return Spilled(whole, size, int(rest.estimated_size()) if rest.width else 0)

    def load(self, data: bytes) -> Spilled | None:
        """Keep the bytes of a stored segment on disk, and map them; None: they must be decoded.

        Raises:
            StorageError: the disk is full, or the directory cannot be written.
        """
        path = self._next()
        try:
            return Spilled(map_stream(data, path), len(data))
        except (ValueError, IndexError, pl.exceptions.PolarsError):
            return None  # who decodes it says what is wrong, if anything is
        except OSError as error:
            path.unlink(missing_ok=True)
            raise _failed(error, self.root) from error

    def close(self) -> None:
        """Delete everything; mapped rows can still be read. It is done at the latest at exit."""
        self._delete()
        self._path = None

    def _next(self) -> Path:
        """A new file."""
        path = self._directory() / f"{self._files}.arrow"
        self._files += 1
        return path

    def _directory(self) -> Path:
        if self._path is None:
            path = self.root / self._name
            try:
                self.root.mkdir(parents=True, exist_ok=True)
                lock = _locked(Path(f"{path}{_LOCK}"))
                self._delete = weakref.finalize(self, _release, path, lock)
                path.mkdir()
            except OSError as error:
                raise _failed(error, self.root) from error
            self._path = path
        return self._path


def remove_leftovers(root: Path | None = None) -> int:
    """Delete the directories of processes that were killed; returns how many.

    Args:
        root: As of SpillDirectory.
    """
    found = 0
    for lock in (default_root() if root is None else root).glob(f"*{_LOCK}"):
        with suppress(OSError):
            file = os.open(lock, os.O_RDWR)
            try:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
                _remove(Path(str(lock).removesuffix(_LOCK)))
                found += 1
            finally:
                os.close(file)
    return found


def _release(path: Path, lock: int) -> None:
    _remove(path)
    os.close(lock)


def _remove(path: Path) -> None:
    shutil.rmtree(path, ignore_errors=True)
    Path(f"{path}{_LOCK}").unlink(missing_ok=True)


def _locked(path: Path) -> int:
    """A file that this process holds; made anew if somebody took it for a leftover meanwhile."""
    while True:
        file = os.open(path, os.O_RDWR | os.O_CREAT, 0o600)
        fcntl.flock(file, fcntl.LOCK_EX)
        with suppress(FileNotFoundError):
            if path.stat().st_ino == os.fstat(file).st_ino:
                return file
        os.close(file)


def _failed(error: OSError, root: Path) -> StorageError:
    advice = "make room there, or choose another disk with state_directory=, or more state_memory="
    if _number(error) in _FULL:
        return StorageError("the disk is full: state cannot be spilled to it", str(root), advice)
    what = f"state cannot be spilled: {error.strerror or error}"
    return StorageError(what, str(root), "choose a directory that can be written: state_directory=")


def _number(error: OSError) -> int | None:
    """Its errno; Polars puts it into the text only."""
    found = re.search(r"os error (\d+)", str(error))
    return int(found[1]) if found and error.errno is None else error.errno
