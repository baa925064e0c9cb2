"""One Ray cluster for all tests of the runtime on Ray, and a way to end processes of a job."""

from __future__ import annotations

import gc
import os
import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import ray

from raystream.runtime.ray.private_ray import lean_start

_init: Any = ray.init


@pytest.fixture(scope="session")
def ray_cluster() -> Iterator[str]:
    """A private cluster with 4 CPUs; its address, for other processes."""
    os.environ.setdefault("RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO", "0")
    with lean_start():
        _init(
            address="local",
            num_cpus=4,
            include_dashboard=False,
            object_store_memory=120_000_000,
            log_to_driver=False,
            logging_level="ERROR",
        )
    yield ray.get_runtime_context().gcs_address
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ResourceWarning)  # Ray does not wait for its own processes
        ray.shutdown()
        gc.collect()


def processes(title: str) -> list[int]:
    """Pids of Ray workers of this process's clusters that run an actor of this class."""
    return [
        int(proc.name)
        for proc in Path("/proc").glob("[0-9]*")
        if _title(proc) == f"ray::{title}" and parent(parent(int(proc.name))) == os.getpid()
    ]


def parent(pid: int) -> int:
    """Who started it (1: nobody who lives, 0: it is gone). A worker's parent is its raylet."""
    try:
        stat = Path(f"/proc/{pid}/stat").read_text()
    except OSError:
        return 0
    return int(stat.rpartition(")")[2].split()[1])


def _title(proc: Path) -> str:
    try:
        command = (proc / "cmdline").read_bytes().partition(b"\0")[0].decode()
    except OSError:
        return ""
    return command.partition(".")[0].strip()
