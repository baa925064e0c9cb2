"""What more subtasks, nodes and files bring or cost."""

from __future__ import annotations

from typing import Any

from tests.support.bench.drain import sizes
from tests.support.bench.figure import Figure
from tests.support.bench.lab import Lab, Ran
from tests.support.bench.recovery import Cluster
from tests.support.generator import request_blocks, to_json

FILES = 4


def files(lab: Lab) -> list[Figure]:
    """Rows per second from files to files, with one and two subtasks, while rows flow."""
    few, many = lab.size(500_000, 2_000_000), lab.size(6_000_000, 12_000_000)
    rate = {}
    for parallelism in (1, 2):
        walls = []
        for n in (few, many):
            target = lab.place("files-out")
            order = lab.order("files", _files(lab, n), str(target), parallelism=parallelism)
            walls.append(lab.drain(order).wall)
        rate[parallelism] = (many - few) / (walls[1] - walls[0])
    said = f"{rate[1]:,.0f} and {rate[2]:,.0f} rows/s"
    ratio = (rate[2] / rate[1],)
    return [Figure("files to files, parallelism 1 to 2", ratio, "x", 1.7, ">=", said)]


def two_nodes(lab: Lab) -> list[Figure]:
    """CPU of the job's processes per further record on two nodes of Ray against one."""
    few, many = sizes(lab)
    cost = {}
    for workers in (1, 2):
        with Cluster(lab, workers) as cluster:
            used = [_on(lab, cluster, n).cpu["job"] for n in (few, many)]
        cost[workers] = (used[1] - used[0]) * 1e6 / (many - few)
    said = f"{cost[2]:.2f} and {cost[1]:.2f} us per record"
    return [Figure("two Ray nodes against one, CPU", (cost[2] / cost[1],), "x", 1.15, beside=said)]


def exchange(lab: Lab) -> list[Figure]:
    """CPU per row of cutting, sending and receiving between one sender and 100 receivers."""
    from tests.support.bench.exchange import cost

    batches = lab.size(50, 200)
    return [
        Figure(
            f"exchange by key at p = {targets} (stub subtasks)",
            (cost(targets, batches),),
            "us",
            0.4 if targets == 100 else None,
            beside="hash, cut, IPC, sockets, both ends; batches of 20,000 rows",
        )
        for targets in (2, 100)
    ]


def _on(lab: Lab, cluster: Cluster, n: int) -> Ran:
    environment = {**lab.environment(), "RAY_ADDRESS": cluster.address}
    more: dict[str, Any] = {"address": cluster.address}
    order = lab.order("requests", lab.requests(n), lab.target(), **more)
    ran = lab.drain(order, environment=environment, also=[cluster.pid])
    lab.check(lab.requests(n), order.target)
    return ran


def _files(lab: Lab, n: int) -> str:
    directory = lab.home / f"files-{n}"
    if not directory.exists():
        directory.mkdir()
        outputs = [(directory / f"part-{index}.jsonl").open("w") for index in range(FILES)]
        for block in request_blocks(n):
            for index, output in enumerate(outputs):
                lines = to_json(block.gather_every(FILES, index)).to_list()
                output.write("\n".join(lines) + "\n")
        for output in outputs:
            output.close()
    return str(directory)
