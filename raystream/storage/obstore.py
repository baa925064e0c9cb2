"""A store in S3, Google Cloud Storage or Azure, by conditional put; only importer of obstore."""

from __future__ import annotations

import math
import os
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from functools import cache, partial
from typing import TYPE_CHECKING, Any, cast

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

from raystream.checkpoint.keys import attempt_of_segment, check_key
from raystream.storage.answers import explain, in_conflict, refused_for_sure
from raystream.storage.base import Put

if TYPE_CHECKING:
    from obstore.store import ClientConfig
    from obstore.store import ObjectStore as Bucket

# errors which prove that the put was not executed
_NOT_PUT = (
    InvalidPathError,
    NotSupportedError,
    PermissionDeniedError,
    UnauthenticatedError,
    UnknownConfigurationKeyError,
    FileNotFoundError,  # no such bucket
    NotImplementedError,  # conditional puts are disabled
)

PART = 5 * 1024 * 1024
"""Part size in bytes: the minimum of S3. Each part has its own time limit."""

_PARTS_AT_ONCE = 2
"""Few enough that each part has time on a slow line: 0.35 MB/s suffice for the 30 s."""

_LIMIT_S = 30
"""Time limit of one request, unless the environment sets another (AWS_TIMEOUT and the like)."""

_SLOWEST = 256 * 1024
"""Bytes per second assumed for the time limit of a put in one piece."""

_CLIENT_OPTIONS = (
    "allow_http",
    "allow_invalid_certificates",
    "connect_timeout",
    "pool_idle_timeout",
    "pool_max_idle_per_host",
    "proxy_ca_certificate",
    "proxy_excludes",
    "proxy_url",
    "timeout",
    "user_agent",
)


class ObjectStore:
    """Objects in a bucket.

    The service must support conditional puts (S3 `If-None-Match: *`, GCS generation 0, Azure).
    Large segments are sent in parts, for which obstore has no condition: their keys name the only
    attempt that may write them, and it always writes the same bytes under a key, so a late write
    changes nothing. Reads are in parts, too.

    Args:
        bucket: A store of obstore, already rooted at our prefix.
        url: The URL it was opened with.
        reopen: Opens the same bucket with another time limit, in seconds.
    """

    def __init__(
        self, bucket: Bucket, url: str, reopen: Callable[[int], Bucket] | None = None
    ) -> None:
        self._bucket = bucket
        self._url = url
        self._reopen = reopen

    @classmethod
    def open(cls, url: str) -> ObjectStore:
        """Open `s3://bucket/path`, `gs://..`, `az://..`; settings come from the environment.

        Raises:
            StorageError: not a URL that obstore understands, or its settings are incomplete.
        """
        from obstore.store import from_url

        with _explained(url):
            return cls(from_url(url), url, partial(reopened, url))

    @property
    def url(self) -> str:
        """The URL it was opened with."""
        return self._url

    def create(self, key: str, data: bytes) -> Put:
        """Create if absent."""
        check_key(key)
        try:
            if len(data) > PART and attempt_of_segment(key) is not None:
                return self._create_in_parts(key, data)
            obstore.put(self._patient(len(data)), key, data, mode="create")
        except (AlreadyExistsError, PreconditionError) as error:
            return self._what_is_there(key) if in_conflict(error) else Put.EXISTS
        except _NOT_PUT as error:
            raise explain(error, self._where(key)) from error
        except (BaseError, OSError) as error:
            if refused_for_sure(error):
                raise explain(error, self._where(key)) from error
            return Put.UNKNOWN  # cut off, timed out: it may or may not be there
        return Put.CREATED

    def get(self, key: str) -> bytes | None:
        """The object's bytes, or None."""
        check_key(key)
        with _explained(self._where(key)):
            try:
                found = obstore.get(self._bucket, key)
                size = found.meta["size"]
                return found.bytes().to_bytes() if size <= PART else self._in_parts(key, size)
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

    def _create_in_parts(self, key: str, data: bytes) -> Put:
        if self._holds(key):
            return Put.EXISTS
        obstore.put(
            self._bucket,
            key,
            data,
            use_multipart=True,
            chunk_size=PART,
            max_concurrency=_PARTS_AT_ONCE,
        )
        return Put.CREATED

    def _in_parts(self, key: str, size: int) -> bytes:
        starts = range(0, size, PART)
        return b"".join(
            obstore.get_range(self._bucket, key, start=start, end=min(start + PART, size))
            for start in starts
        )

    def _patient(self, size: int) -> Bucket:
        """The bucket with a time limit for a put of this size; limits double, so there are few."""
        needed = size / _SLOWEST
        if needed <= _LIMIT_S or self._reopen is None:
            return self._bucket
        return self._reopen(_LIMIT_S * 2 ** math.ceil(math.log2(needed / _LIMIT_S)))

    def _what_is_there(self, key: str) -> Put:
        """A conflict decides nothing: there was a concurrent put, or delete, of the key."""
        try:
            return Put.EXISTS if self._holds(key) else Put.UNKNOWN
        except (BaseError, OSError):
            return Put.UNKNOWN

    def _holds(self, key: str) -> bool:
        try:
            obstore.head(self._bucket, key)
        except FileNotFoundError:
            return False
        return True

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


@cache
def reopened(url: str, limit_s: int) -> Bucket:
    """The bucket with another time limit.

    Explicit client options replace those of the environment, so these are passed along.
    """
    from obstore.store import from_url

    options = {
        name: os.environ[variable]
        for name in _CLIENT_OPTIONS
        for prefix in ("AWS", "GOOGLE", "AZURE")
        if (variable := f"{prefix}_{name.upper()}") in os.environ
    }
    limit: dict[str, Any] = {"timeout": f"{limit_s}s", **options}
    return from_url(url, client_options=cast("ClientConfig", limit))


@contextmanager
def _explained(where: str) -> Iterator[None]:
    try:
        yield
    except (BaseError, OSError, ValueError, NotImplementedError) as error:
        raise explain(error, where) from error
