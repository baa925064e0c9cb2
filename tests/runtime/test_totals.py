"""Totals of a run are exact, whatever fails and is read again."""

from __future__ import annotations

import tempfile
from collections import Counter
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import polars as pl
from hypothesis import given, settings
from hypothesis import strategies as st

from raystream.graph.policies import RestartStrategy
from raystream.runtime.local import LocalRuntime
from tests.runtime.ray.jobs import counting, expected, written

ROWS = 3000
PLACES = [
    (point, process)
    for point in ("barrier injected", "aligned", "barrier passed on", "acked")
    for process in ("read[0]", "read[1]", "count[0]", "count[1]")
    if (point, process[:5]) != ("barrier injected", "count")
]


class Faults:
    """Raises at these places, at their n-th visit, as a disk that fails would."""

    def __init__(self, wanted: list[tuple[tuple[str, str], int]]) -> None:
        self._wanted = set(wanted)
        self._visits: Counter[tuple[str, str]] = Counter()

    def of(self, process: str) -> Callable[[str], None]:
        def point(name: str) -> None:
            place = (name, process)
            self._visits[place] += 1
            if (place, self._visits[place]) in self._wanted:
                raise OSError(f"a fault at {name}")

        return point


@settings(max_examples=12, deadline=None)
@given(st.lists(st.tuples(st.sampled_from(PLACES), st.integers(1, 4)), max_size=4))
def test_totals_are_exact_after_restarts(wanted: list[tuple[tuple[str, str], int]]) -> None:
    with tempfile.TemporaryDirectory() as place:
        directory = Path(place)
        job = counting(
            directory, rows=ROWS, rate=10_000.0, parallelism=2, interval=0.04, function=unchanged
        )
        job = replace(job, restart=RestartStrategy(initial=0.01), run="run")
        outcome = LocalRuntime(job, points=Faults(wanted).of).run()
        assert outcome.kind == "finished", outcome.message
        assert written(directory) == expected(job)
        assert outcome.rows_in == ROWS
        assert outcome.rows_out == expected(job).total()


def unchanged(frame: pl.DataFrame) -> pl.DataFrame:
    return frame
