"""A store in a directory: an object appears complete, atomically and permanently, or not at all."""

from __future__ import annotations

import errno
import os
import secrets
import stat
import time
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path

from raystream.checkpoint.keys import check_key
from raystream.errors import StorageError
from raystream.storage.base import Put

_TEMPORARY = ".tmp"
_LEFTOVER_S = 3600.0
_FILE, _FOLDER = 0o600, 0o700  # state contains data of users' records
_DIRECTORY = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC
# errors of link() which prove that nothing was linked
_NOT_LINKED = frozenset(
    {errno.ENOSPC, errno.EDQUOT, errno.EROFS, errno.EACCES, errno.EPERM, errno.EMLINK}
    | {errno.EXDEV, errno.ENOTSUP, errno.ENOSYS, errno.ENOENT, errno.ENOTDIR}
)


class LocalStore:
    """Objects as files below `root`; the directory may be shared by many processes.

    An object is written to a temporary file, fsynced, link()ed to its name (which fails if the
    name is taken), and the directory is fsynced. Directories are walked with open file handles
    and without following symbolic links, so no key and no planted link leads out of the root.

    Args:
        root: Directory; made if absent. Must be on a file system with hard links.

    Raises:
        StorageError: the directory cannot be made or used.
    """

    def __init__(self, root: str | os.PathLike[str]) -> None:
        self._root = Path(root).expanduser().absolute()
        with _explained(self._root):
            make_directory(self._root / _TEMPORARY)
            _remove_leftovers(self._root / _TEMPORARY)

    @property
    def url(self) -> str:
        """The directory."""
        return str(self._root)

    def create(self, key: str, data: bytes) -> Put:
        """Create if absent; durable when it returns CREATED or EXISTS."""
        check_key(key)
        with _explained(self._root / key):
            temporary = self._write_temporary(data)
            try:
                return self._link(temporary, key)
            finally:
                with suppress(OSError):  # a leftover is removed later
                    os.unlink(temporary)

    def get(self, key: str) -> bytes | None:
        """The object's bytes, or None."""
        check_key(key)
        with _explained(self._root / key):
            try:
                with self._directory_of(key) as directory:
                    return _read_regular(directory, _name(key))
            except FileNotFoundError:
                return None

    def list(self, prefix: str) -> list[str]:
        """Keys that start with `prefix`, sorted."""
        folder, _, start = prefix.rpartition("/")
        if folder:
            check_key(folder)
        with _explained(self._root / folder):
            try:
                with self._walk(folder.split("/") if folder else []) as directory:
                    found = list(_keys(directory, f"{folder}/" if folder else "", start))
            except FileNotFoundError:
                return []
        return sorted(found)

    def delete(self, keys: Iterable[str]) -> None:
        """Delete these objects, and directories that became empty."""
        for key in keys:
            check_key(key)
            with _explained(self._root / key), suppress(FileNotFoundError):
                with self._directory_of(key) as directory:
                    os.unlink(_name(key), dir_fd=directory)
                self._remove_empty(key)

    def _write_temporary(self, data: bytes) -> Path:
        path = self._root / _TEMPORARY / f"{os.getpid()}-{secrets.token_hex(8)}"
        handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, _FILE)
        try:
            with open(handle, "wb") as file:
                file.write(data)
                file.flush()
                os.fsync(handle)
        except BaseException:  # else a full disk would stay full of leftovers
            with suppress(OSError):
                os.unlink(path)
            raise
        return path

    def _link(self, temporary: Path, key: str) -> Put:
        for _ in range(10):  # another process may remove an empty directory that we just made
            with suppress(FileNotFoundError), self._directory_of(key, make=True) as directory:
                return _link_into(temporary, directory, _name(key))
        text = "the directory vanishes again and again"
        raise StorageError(text, str(self._root / key))

    def _directory_of(self, key: str, *, make: bool = False) -> _Walk:
        return self._walk(key.split("/")[:-1], make=make)

    def _walk(self, parts: Sequence[str], *, make: bool = False) -> _Walk:
        return _Walk(self._root, parts, make=make)

    def _remove_empty(self, key: str) -> None:
        parts = key.split("/")[:-1]
        while parts:
            with self._walk(parts[:-1]) as parent:
                try:
                    os.rmdir(parts[-1], dir_fd=parent)
                except OSError:
                    return
            parts.pop()

    def __repr__(self) -> str:
        return f"LocalStore({str(self._root)!r})"


class _Walk:
    """Context manager: a handle of the directory `root/parts..`; links are not followed."""

    def __init__(self, root: Path, parts: Sequence[str], *, make: bool) -> None:
        self._root, self._parts, self._make = root, parts, make
        self._handle = -1

    def __enter__(self) -> int:
        self._handle = os.open(self._root, _DIRECTORY & ~os.O_NOFOLLOW)
        try:
            for part in self._parts:
                self._descend(part)
        except BaseException:
            os.close(self._handle)
            raise
        return self._handle

    def __exit__(self, *exc: object) -> None:
        os.close(self._handle)

    def _descend(self, part: str) -> None:
        if self._make:
            with suppress(FileExistsError):
                os.mkdir(part, _FOLDER, dir_fd=self._handle)
                os.fsync(self._handle)
        inner = os.open(part, _DIRECTORY, dir_fd=self._handle)
        os.close(self._handle)
        self._handle = inner


def _link_into(temporary: Path, directory: int, name: str) -> Put:
    try:
        os.link(temporary, name, dst_dir_fd=directory, follow_symlinks=False)
        answer = Put.CREATED
    except FileExistsError:  # over NFS it may be our own link whose answer was lost
        answer = Put.CREATED if os.stat(temporary).st_nlink > 1 else Put.EXISTS
    except OSError as error:
        if error.errno in _NOT_LINKED:
            raise
        return Put.UNKNOWN
    try:
        os.fsync(directory)  # also when it exists: its creator may have died before this
    except OSError:
        return Put.UNKNOWN
    return answer


def _read_regular(directory: int, name: str) -> bytes:
    handle = os.open(name, os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC, dir_fd=directory)
    with open(handle, "rb") as file:
        if not stat.S_ISREG(os.fstat(handle).st_mode):
            raise OSError(errno.EINVAL, "is not a regular file")
        return file.read()


def _keys(directory: int, path: str, start: str) -> Iterator[str]:
    with os.scandir(directory) as entries:
        names = [(entry.name, entry.is_symlink(), entry.is_dir()) for entry in entries]
    for name, link, folder in names:
        if not name.startswith(start) or not _is_key(name):
            continue
        if link:
            raise OSError(errno.ELOOP, f"{path}{name} is a symbolic link")
        if not folder:
            yield path + name
            continue
        with suppress(FileNotFoundError):  # removed concurrently, as it was empty
            inner = os.open(name, _DIRECTORY, dir_fd=directory)
            try:
                yield from _keys(inner, f"{path}{name}/", "")
            finally:
                os.close(inner)


def _is_key(name: str) -> bool:
    try:
        return bool(check_key(name))
    except StorageError:
        return False  # a foreign file


def _name(key: str) -> str:
    return key.rsplit("/", 1)[-1]


def make_directory(path: Path) -> None:
    """Create it and its missing parents, for its user only; durable when it returns."""
    missing = [one for one in (path, *path.parents) if not one.exists()]
    for one in reversed(missing):
        one.mkdir(_FOLDER, exist_ok=True)
        handle = os.open(one.parent, os.O_RDONLY | os.O_DIRECTORY)
        try:
            os.fsync(handle)
        finally:
            os.close(handle)


def _remove_leftovers(folder: Path) -> None:
    old = time.time() - _LEFTOVER_S
    for path in folder.iterdir():
        with suppress(OSError):
            if path.lstat().st_mtime < old:
                path.unlink()


@contextmanager
def _explained(path: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise _explain(error, path) from error


def _explain(error: OSError, path: Path) -> StorageError:
    advice = {
        errno.ENOENT: "check the address",
        errno.ENOSPC: "free space on the disk, then run again",
        errno.EDQUOT: "raise the quota, then run again",
        errno.EACCES: "give this user read and write access",
        errno.EROFS: "mount it read-write",
        errno.EPERM: "use a file system with hard links",
        errno.ENOTSUP: "use a file system with hard links",
        errno.ELOOP: "remove the symbolic link: nothing outside the storage is followed",
        errno.ENOTDIR: "remove the symbolic link or file that is in the way",
    }.get(error.errno or 0, "")
    return StorageError(error.strerror or str(error), str(path), advice)
