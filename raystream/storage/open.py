"""Open the store of one job from the address of a checkpoint storage; the storage's id."""

from __future__ import annotations

import json
import re
import secrets
import time
from importlib.util import find_spec
from urllib.parse import unquote, urlsplit

from raystream.errors import ConfigurationError, StorageError
from raystream.storage.base import Put, Store
from raystream.storage.local import LocalStore
from raystream.storage.memory import MemoryStore

STORE_KEY = "store.json"
"""The object that holds the storage's id."""

_CLOUDS = ("s3", "s3a", "gs", "az", "azure", "abfs", "abfss")
_SCHEMES = "|".join((*_CLOUDS, "gcs", "wasb", "abfs", "file", "memory", "https?", "hdfs", "ftp"))
_ALMOST_A_URL = re.compile(rf"(?i)({_SCHEMES}|[a-z][a-z0-9+.-]+(?=:/)):(?!//)")
_JOB = re.compile(r"[A-Za-z0-9_-]{1,60}")
_ID = re.compile(r"[0-9a-f]{8}")
_PROBES = 3
"""One answer may be lost, two `created` answers are proof."""

_MEMORY: dict[str, MemoryStore] = {}


def open_store(url: str) -> Store:
    """Open a storage.

    Args:
        url: A path, `file:///path`, `memory://name` (shared within this process), `s3://..`,
            `gs://..` or `az://..`.

    Raises:
        ConfigurationError: unknown kind of storage.
        StorageError: it cannot be used.

    >>> open_store("memory://example") is open_store("memory://example")
    True
    """
    scheme, colon, rest = url.partition("://")
    if not colon:
        refuse_mistyped(url)
        return LocalStore(url)
    refuse_credentials(url)
    if scheme == "file":
        return LocalStore(_path_of(url))
    if scheme == "memory":
        return _MEMORY.setdefault(rest, MemoryStore(rest))
    if scheme in _CLOUDS:
        if find_spec("obstore") is None:
            what = f"checkpoints in {scheme}:// need a library that is not installed"
            raise ConfigurationError(what, what_to_do="pip install 'raystream[cloud]'")
        from raystream.storage.obstore import ObjectStore  # heavy, and only needed here

        return ObjectStore.open(url)
    what = f"{scheme}:// is not a checkpoint storage that raystream knows"
    raise ConfigurationError(what, what_to_do="use a directory, s3://, gs:// or az://")


def refuse_mistyped(address: str) -> None:
    """Refuse a mistyped URL: as a path it would become a local directory.

    Raises:
        ConfigurationError: it is mistyped.

    >>> refuse_mistyped("s3:/bucket/jobs")
    Traceback (most recent call last):
      ..
    raystream.errors.ConfigurationError: 's3:/bucket/jobs' is not an address; write s3://bucket/jobs
    """
    match = _ALMOST_A_URL.match(address)
    if match is not None:
        scheme, rest = match[1].lower(), address[match.end() :].lstrip("/")
        slashes = ":///" if scheme == "file" else "://"
        what = f"{address!r} is not an address"
        raise ConfigurationError(what, what_to_do=f"write {scheme}{slashes}{rest}")


def refuse_credentials(url: str) -> None:
    """Refuse an address with a password: addresses are shown in logs and status.

    Raises:
        ConfigurationError: it has one; the message does not show it.
    """
    if "://" in url and urlsplit(url).password is not None:
        what = "the address of a checkpoint storage takes no credentials"
        raise ConfigurationError(
            what, what_to_do="put them into the environment, AWS_... and the like"
        )


def job_store(url: str, job: str) -> Store:
    """Open the part of a storage that belongs to one job: `<url>/<job>/`.

    Raises:
        ConfigurationError: `job` is not a valid name, or the kind of storage is unknown.
        StorageError: it cannot be used.
    """
    if _JOB.fullmatch(job) is None:
        what = f"{job!r} is not a name for a job"
        raise ConfigurationError(what, what_to_do="use 1 to 60 of A-Z a-z 0-9 _ -")
    return open_store(f"{url.rstrip('/')}/{job}")


def store_id(store: Store) -> str:
    """8 hex digits, generated randomly once with the storage: part of every transactional id.

    Raises:
        StorageError: the storage cannot be used, does not keep the first of two objects with the
            same name, or its `store.json` is damaged.

    >>> store = MemoryStore()
    >>> store_id(store) == store_id(store)
    True
    """
    content = store.get(STORE_KEY)
    if content is None:
        refuse_unconditional(store)
    for pause in (0.05, 0.1, 0.2, 0.4, 0.8, 1.6, 3.2):
        if content is not None:
            return _read_id(store, content)
        mine = json.dumps({"raystream_store": 1, "id": secrets.token_hex(4)}).encode()
        if store.create(STORE_KEY, mine) is Put.UNKNOWN:
            time.sleep(pause)
        else:
            content = store.get(STORE_KEY)
    what = "the storage does not say whether it took an object"
    raise StorageError(what, store.url, "check that it can be reached and written")


def is_store(store: Store, identity: str) -> bool:
    """Whether this still is the storage with this id; it makes nothing.

    Raises:
        StorageError: it cannot be read now.

    >>> store = MemoryStore()
    >>> is_store(store, "00000000"), is_store(store, store_id(store))
    (False, True)
    """
    content = store.get(STORE_KEY)
    return content is not None and _id_in(content) == identity


def refuse_unconditional(store: Store) -> None:
    """Refuse a storage that replaces an existing object on create.

    Two attempts of one job would both believe that they own it. Some S3-compatible services
    silently ignore the condition of a put.

    Raises:
        StorageError: it replaced an object, or cannot be used.
    """
    probe = f"probe-{secrets.token_hex(8)}"
    answers = [store.create(probe, b"%d" % number) for number in range(_PROBES)]
    store.delete([probe])
    if answers.count(Put.CREATED) > 1:
        what = "this storage replaces objects that it was asked to create"
        advice = "use a service with conditional puts (If-None-Match: *)"
        raise StorageError(what, store.url, advice)


def _read_id(store: Store, content: bytes) -> str:
    found = _id_in(content)
    if found is None:
        where = f"{store.url}/{STORE_KEY}"
        what = "the object that holds the storage's id is damaged"
        raise StorageError(what, where, "restore it from a copy")
    return found


def _id_in(content: bytes) -> str | None:
    try:
        found = json.loads(content)["id"]
    except (ValueError, KeyError, TypeError, RecursionError):
        return None
    return found if isinstance(found, str) and _ID.fullmatch(found) else None


def _path_of(url: str) -> str:
    parts = urlsplit(url)
    if parts.netloc not in {"", "localhost"}:
        what = f"file://{parts.netloc} is on another machine"
        raise ConfigurationError(what, what_to_do="write file:///path")
    return unquote(parts.path)
