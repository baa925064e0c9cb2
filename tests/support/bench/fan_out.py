"""What one call to every subtask costs the coordinator, by their number; subtasks are stubs."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from statistics import median
from typing import Any

from tests.support.bench.figure import Figure
from tests.support.bench.lab import ROOT, Lab

ROUNDS = 30


def fan_out(lab: Lab) -> list[Figure]:
    """Milliseconds until all have answered one call, and CPU of the caller per subtask."""
    numbers = [8, 32] if lab.quick else [8, 32, 128]
    done = subprocess.run(
        [sys.executable, "-m", "tests.support.bench.fan_out", *map(str, numbers)],
        env=lab.environment(),
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode:
        message = f"the stubs failed: {done.stderr[-2000:]}"
        raise RuntimeError(message)
    found = []
    for line in done.stdout.splitlines():
        if line.startswith("{"):
            told = json.loads(line)
            beside = f"{told['cpu_us']:.0f} us CPU of the caller per subtask"
            name = f"a call to each of {told['subtasks']} subtasks"
            found.append(Figure(name, (told["ms"],), "ms", beside=beside))
    return found


def main(numbers: list[int]) -> None:
    """Print a line of JSON for each number of stubs."""
    import ray

    from raystream.runtime.ray.private_ray import lean_start

    os.environ["RAY_worker_niceness"] = "0"  # as in the private Ray of a job
    with lean_start():
        ray.init(address="local", include_dashboard=False, num_cpus=2, log_to_driver=False)

    class Stub:
        """Answers."""

        def ping(self, attempt: int) -> int:
            """As a subtask: at once."""
            return attempt

    actor: Any = ray.remote(num_cpus=0.001)(Stub)
    stubs: list[Any] = []
    for number in numbers:
        while len(stubs) < number:
            stubs += [actor.remote() for _ in range(min(8, number - len(stubs)))]
            ray.get([stub.ping.remote(0) for stub in stubs])
        rounds = []
        cpu = time.process_time()
        for attempt in range(ROUNDS):
            began = time.monotonic()
            ray.get([stub.ping.remote(attempt) for stub in stubs])
            rounds.append(time.monotonic() - began)
        cpu = (time.process_time() - cpu) * 1e6 / (ROUNDS * number)
        told = {"subtasks": number, "ms": median(rounds) * 1000, "cpu_us": cpu}
        print(json.dumps(told), flush=True)
    ray.shutdown()


if __name__ == "__main__":
    main([int(number) for number in sys.argv[1:]])
