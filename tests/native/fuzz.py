"""The long differential fuzz; scripts/native-fuzz runs it."""

from __future__ import annotations

import random
import sys
import time

from tests.native.differential import Differential
from tests.native.payloads import SCHEMAS, Payloads

BATCH = 500
ROUNDS = 10
"""Batches of each schema by one seed."""


def main(seconds: float, seed: int) -> None:
    both = {name: Differential(schema) for name, schema in SCHEMAS.items()}
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        print(f"seed {seed}", flush=True)
        payloads = Payloads(seed)
        for _ in range(ROUNDS):
            for each in both.values():
                each.check(payloads.batch(BATCH))
        seed += 1
    for name, each in both.items():
        print(f"{name}: {each.tally}")


if __name__ == "__main__":
    given = sys.argv[1:]
    start = int(given[1]) if len(given) > 1 else random.randrange(10**6)
    main(float(given[0]) if given else 60.0, start)
