"""A lookup and a join of changes on Kafka, killed with SIGKILL: the right rows are left."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from raystream.verify.read import read_json_topic
from tests.e2e.harness import FULL, Input, Job

pytestmark = pytest.mark.timeout(300)

Row = tuple[Any, ...]


def zone_of(ip: str) -> str | None:
    """Of every third address none."""
    number = sum(map(ord, ip))
    return f"zone {number % 5}" if number % 3 else None


def expected(requests: Input) -> Counter[Row]:
    rows = read_json_topic(requests.bootstrap, requests.topic)
    every = Counter(row["ip"] for row in rows)
    some = Counter(row["ip"] for row in rows if row["ts"] % 7 == 0)
    return Counter((ip, n, zone_of(ip), some.get(ip)) for ip, n in every.items())


def written(job: Job) -> Counter[Row]:
    """What is left of the changes; only rows that are there are taken back."""
    there: Counter[Row] = Counter()
    for row in read_json_topic(job.bootstrap, job.output):
        made = (row["ip"], row["count"], row["zone"], row["some"])
        there[made] += 1 if row["op"] in ("insert", "update_after") else -1
        assert there[made] in (0, 1), f"{row} came twice, or was taken back twice"
    return +there


def table(requests: Input, path: Path) -> Path:
    addresses = {row["ip"] for row in read_json_topic(requests.bootstrap, requests.topic)}
    lines = [{"address": ip, "zone": zone_of(ip)} for ip in sorted(addresses) if zone_of(ip)]
    path.write_text("".join(json.dumps(line) + "\n" for line in lines))
    return path


KILLS = [("--local", ["aligned@named:1", "acked@joined:2"])]
if FULL:  # many subtasks, for what tests/e2e/test_on_ray.py shows of any operator
    KILLS.append(("ray", ["aligned@joined:2"]))


@pytest.mark.parametrize(("where", "orders"), KILLS)
def test_killed(
    where: str,
    orders: list[str],
    new_job: Callable[..., Job],
    requests: Input,
    tmp_path: Path,
    request: pytest.FixtureRequest,
) -> None:
    told = (where,) if where == "--local" else ("--address", request.getfixturevalue("ray_head"))
    given = {"E2E_TABLE": str(table(requests, tmp_path / "table.jsonl"))}
    job = new_job(file="joined.py", where=told, environment=given)
    job.finish(orders)
    found = written(job)
    assert found == expected(requests)
    assert job.hanging() == []
