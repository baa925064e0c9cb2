"""Check whether a storage can hold checkpoints: writable, with atomic create-if-absent."""

from __future__ import annotations

import os
import secrets
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

from raystream.errors import ConfigurationError, StorageError
from raystream.observe.finding import Finding, error, ok, warning
from raystream.storage.base import Put
from raystream.storage.open import open_store

_KEY = "probe"


def probe(url: str) -> Iterator[Finding]:
    """Create an object in its own folder, try to create it again, read it, delete it.

    Args:
        url: Checkpoint storage.
    """
    about, name = f"checkpoint storage {url}", f"raystream-check-{secrets.token_hex(4)}"
    made = _missing_parents(url)
    try:
        yield from _tried(f"{url.rstrip('/')}/{name}", about)
    except (StorageError, ConfigurationError) as problem:
        advice = problem.what_to_do or "check the address, the rights and the credentials"
        place = f" ({problem.where})" if problem.where else ""
        yield error(about, f"{problem.what}{place}", advice)
    finally:
        if "://" not in url:
            _remove(Path(url) / name, made)


def _tried(url: str, about: str) -> Iterator[Finding]:
    store = open_store(url)
    content = secrets.token_bytes(16)
    first = store.create(_KEY, content)
    second = store.create(_KEY, b"another")
    found = store.get(_KEY)
    store.delete([_KEY])
    if first is not Put.CREATED or found is None:
        yield error(about, "an object that was just written is not there", "use another storage")
    elif second is not Put.EXISTS or found != content:
        text = "it overwrites an object that exists: two runs of a job could not be told apart"
        yield error(about, text, "use a storage that honours conditional writes (If-None-Match)")
    elif url.startswith("memory://"):
        yield warning(
            about, "it is gone with this process", "use a directory, s3://, gs:// or az://"
        )
    else:
        here = "" if "://" in url else " (a directory: for more than one node it must be shared)"
        yield ok(about, f"can be written, creates objects only once{here}")


def _missing_parents(url: str) -> list[Path]:
    """Directories that are not there yet, innermost first."""
    if "://" in url:
        return []
    path = Path(url)
    return [one for one in (path, *path.parents) if not one.exists()]


def _remove(folder: Path, made: list[Path]) -> None:
    """Clean up: the folder of the probe, and directories that were created for it."""
    for path in (folder / ".tmp", folder, *made):
        with suppress(OSError):
            os.rmdir(path)
