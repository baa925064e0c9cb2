"""A private Ray starts without agents, and whoever needs one is served."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import pytest
import ray

from tests.support.processes import ray_part

_ray: Any = ray
_get: Any = ray.get


@pytest.mark.usefixtures("ray_cluster")
def test_agents_rest_until_a_function_of_the_user_asks_for_an_environment() -> None:
    for part in ("ray::DashboardAgent", "ray::RuntimeEnvAgent"):
        agent = ray_part(os.getpid(), part)
        maps = Path(f"/proc/{agent.pid}/maps").read_text()
        assert "_raylet" not in maps  # Ray's library: 3 s of CPU at each start

    asks = _ray.remote(num_cpus=0, runtime_env={"env_vars": {"ASKED": "yes"}})(os.getenv)
    assert _get(asks.remote("ASKED"), timeout=60) == "yes"
