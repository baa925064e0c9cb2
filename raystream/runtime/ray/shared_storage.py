"""Check that all nodes see the same checkpoint directory; if not, refuse a job on several nodes."""

from __future__ import annotations

import secrets
from collections.abc import Sequence
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urlsplit

import ray
from ray.util.scheduling_strategies import NodeAffinitySchedulingStrategy

from raystream.errors import ConfigurationError
from raystream.storage.local import make_directory

_PROBE_SECONDS = 30.0
_UPLOADED = "working_dir_files"
"""Folder of Ray's session in which it unpacks the working directories of jobs."""

_remote: Any = ray.remote


def check_shared(storage: str, nodes: Sequence[str]) -> None:
    """Refuse a directory that not all nodes see.

    Args:
        storage: Address of the checkpoint storage; object stores are always shared.
        nodes: Ids of the nodes the job may run on.

    Raises:
        ConfigurationError: with the number of nodes that do not see it; or it is inside the copy of
            the working directory that Ray made for one job, where the next run would not find it.
    """
    directory = directory_of(storage)
    if directory is None:
        return
    if _UPLOADED in directory.parts:
        raise _temporary(storage)
    if len(nodes) < 2:
        return
    probe = directory / f".probe-{secrets.token_hex(8)}"
    make_directory(directory)
    probe.write_text("raystream looks whether every node sees this")
    try:
        blind = blind_nodes(probe, nodes)
    finally:
        probe.unlink(missing_ok=True)
    if blind:
        raise not_shared(storage, len(blind), len(nodes))


def blind_nodes(probe: Path, nodes: Sequence[str]) -> list[str]:
    """Nodes that do not see this file (or do not answer)."""
    asked = {node: _ask(probe, node) for node in nodes}
    answered, _ = ray.wait(list(asked.values()), num_returns=len(asked), timeout=_PROBE_SECONDS)
    return [node for node, ref in asked.items() if ref not in answered or not _sees(ref)]


def not_shared(storage: str, blind: int, nodes: int) -> ConfigurationError:
    """The error for storage that is not shared.

    >>> print(not_shared("/tmp/state", 1, 2))
    /tmp/state: 1 of the cluster's 2 nodes do not see this checkpoint storage; use an object store
    (s3://, gs://, az://) or a directory that all nodes share
    """
    what = f"{blind} of the cluster's {nodes} nodes do not see this checkpoint storage"
    advice = "use an object store (s3://, gs://, az://) or a directory that all nodes share"
    return ConfigurationError(what, storage, advice)


def _temporary(storage: str) -> ConfigurationError:
    what = "this checkpoint storage is in Ray's own copy of the working directory, for one job only"
    advice = "write an absolute path or an object store (s3://, gs://, az://)"
    return ConfigurationError(what, storage, advice)


def directory_of(storage: str) -> Path | None:
    """The directory of a storage address, None if it is not a directory.

    >>> str(directory_of("file:///var/state")), directory_of("s3://bucket/state")
    ('/var/state', None)
    """
    if "://" not in storage:
        return Path(storage)
    parts = urlsplit(storage)
    return Path(unquote(parts.path)) if parts.scheme == "file" else None


def _ask(probe: Path, node: str) -> Any:
    pinned = NodeAffinitySchedulingStrategy(node, soft=False)
    return _remote(num_cpus=0, scheduling_strategy=pinned, max_retries=0)(_exists).remote(probe)


def _sees(ref: Any) -> bool:
    try:
        return bool(ray.get(ref))
    except ray.exceptions.RayError:
        return False


def _exists(probe: Path) -> bool:
    return probe.exists()
