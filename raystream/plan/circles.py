"""Files that a job writes where it reads files: it, or its next run, would take them as input.

A topic may be read and written: records that are tried again later go round like this, one record
after another, and `until="latest"` ends where the topic ended at the start.
"""

from __future__ import annotations

from collections.abc import Iterable

from raystream.connectors.traits import reads_below, reads_what_it_writes
from raystream.errors import ConfigurationError
from raystream.graph.logical import Node

_OBJECTS = (("m-0000000000",), ("state", "a1", "step", "0", "1-1.arrow"))
"""Paths of objects in the directory of a job."""


def check_circles(nodes: Iterable[Node]) -> None:
    """Refuse a sink whose files a source of the same job would read.

    Raises:
        ConfigurationError: at the line of the write.
    """
    every = list(nodes)
    for write in every:
        for read in every:
            if reads_what_it_writes(read.step.source, write.step.sink):
                where = f"{write.step.sink.describe()}, which the source {read.name!r} reads"
                what = f"step {write.name!r} writes to {where}: rows would be read again"
                raise ConfigurationError(what, str(write.origin), "write to another directory")


def check_storage(nodes: Iterable[Node], storage: str, job: str) -> None:
    """Refuse checkpoints where a source of the job reads files.

    Args:
        nodes: Of the job.
        storage: A path; the address of another kind of storage is no directory.
        job: Its name: the directory of its objects.

    Raises:
        ConfigurationError: at the line of the read.
    """
    for node in nodes:
        for parts in _OBJECTS:
            if "://" not in storage and reads_below(node.step.source, storage, (job, *parts)):
                what = f"the source {node.name!r} would read the checkpoints in {storage}"
                advice = "name another directory for checkpoints, or a narrower path to read"
                raise ConfigurationError(what, str(node.origin), advice)
