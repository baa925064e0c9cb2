"""A store in S3, Google Cloud Storage or Azure, by conditional put; alone imports obstore."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

import obstore
from obstore.exceptions import (
    AlreadyExistsError,
    BaseError,
    InvalidPathError,
    NotSupportedError,
    PermissionDeniedError,
    PreconditionError,
    UnauthenticatedError,
    UnknownConfigurationKeyError,
)

from raystream.checkpoint.keys import check_key
from raystream.storage.answers import explain, refused_for_sure
from raystream.storage.base import Put

if TYPE_CHECKING:
    from obstore.store import ObjectStore as Bucket

# errors that say for sure that the put was not carried out
_NOT_PUT = (
    InvalidPathError,
    NotSupportedError,
    PermissionDeniedError,
    UnauthenticatedError,
    UnknownConfigurationKeyError,
    FileNotFoundError,  # no such bucket
    NotImplementedError,  # conditional puts are switched off
)


class ObjectStore:
    """Objects in a bucket.

    The service must support conditional puts (S3 `If-None-Match: *`, GCS generation 0, Azure).

    Args:
        bucket: A store of obstore, already rooted at our prefix.
        url: What it was opened with.
    """

    def __init__(self, bucket: Bucket, url: str) -> None:
        self._bucket = bucket
        self._url = url

    @classmethod
    def open(cls, url: str) -> ObjectStore:
        """Open `s3://bucket/path`, `gs://..`, `az://..`; settings come from the environment.

        Raises:
            StorageError: not a URL that obstore understands, or its settings are incomplete.
        """
        from obstore.store import from_url

        with _explained(url):
            return cls(from_url(url), url)

    @property
    def url(self) -> str:
        """What it was opened with."""
        return self._url

    def create(self, key: str, data: bytes) -> Put:
        """Create if absent."""
        try:
            obstore.put(self._bucket, check_key(key), data, mode="create")
        except (AlreadyExistsError, PreconditionError):
            return Put.EXISTS
        except _NOT_PUT as error:
            raise explain(error, self._where(key)) from error
        except (BaseError, OSError) as error:
            if refused_for_sure(error):
                raise explain(error, self._where(key)) from error
            return Put.UNKNOWN  # cut off, timed out, conflict: it may or may not be there
        return Put.CREATED

    def get(self, key: str) -> bytes | None:
        """The object's bytes, or None."""
        check_key(key)
        with _explained(self._where(key)):
            try:
                return obstore.get(self._bucket, key).bytes().to_bytes()
            except FileNotFoundError:
                return None

    def list(self, prefix: str) -> list[str]:
        """Keys that start with `prefix`, sorted."""
        with _explained(self._where(prefix)):
            return sorted(key for key in self._listed(prefix) if key.startswith(prefix))

    def delete(self, keys: Iterable[str]) -> None:
        """Delete these objects."""
        chosen = [check_key(key) for key in keys]
        with _explained(self._where("")):
            try:
                obstore.delete(self._bucket, chosen)
            except FileNotFoundError:
                self._delete_one_by_one(chosen)

    def _listed(self, prefix: str) -> Iterator[str]:
        # obstore's prefixes end at a slash: list the folder, then what is inside of it if asked
        folder, slash, start = prefix.rpartition("/")
        if not start:
            yield from self._below(folder)
            return
        here = obstore.list_with_delimiter(self._bucket, folder + slash or None)
        yield from (meta["path"] for meta in here["objects"])
        for inner in here["common_prefixes"]:
            if inner.startswith(prefix):
                yield from self._below(inner)

    def _below(self, folder: str) -> Iterator[str]:
        for page in obstore.list(self._bucket, folder or None):
            yield from (meta["path"] for meta in page)

    def _delete_one_by_one(self, keys: Iterable[str]) -> None:
        for key in keys:
            try:
                obstore.delete(self._bucket, key)
            except FileNotFoundError:
                continue

    def _where(self, key: str) -> str:
        return f"{self._url.rstrip('/')}/{key}"

    def __repr__(self) -> str:
        return f"ObjectStore({self._url!r})"


@contextmanager
def _explained(where: str) -> Iterator[None]:
    try:
        yield
    except (BaseError, OSError, ValueError, NotImplementedError) as error:
        raise explain(error, where) from error
