"""`raystream ui` outlives its Ray cluster, and says that it is lost."""

from __future__ import annotations

import time

from tests.cli.test_ui import get, page
from tests.support.ray_head import RayHead


def test_a_lost_cluster_is_said_at_once_and_the_page_stays() -> None:
    with (
        RayHead(cpus=1) as head,
        page("--address", head.address, environment=head.environment) as address,
    ):
        time.sleep(5.0)
        assert get(f"{address}api/v1/jobs")["trouble"] == ""
        head.kill()
        deadline, lost = time.monotonic() + 20, f"no Ray cluster answers at {head.address}"
        while lost not in get(f"{address}api/v1/jobs")["trouble"]:
            assert time.monotonic() < deadline
            time.sleep(0.2)
