"""Pipelines of random verbs give the rows that plain Python computes from all rows at once.

Each verb has tests of its own; these are for what one does to another: columns that the plan
leaves out, steps that it fuses or adds, event time and changes that are handed on, over crashes
and at another parallelism after each.
"""

from __future__ import annotations

import os
import random
from collections import Counter
from collections.abc import Iterable, Mapping
from typing import Any

import pytest

import raystream as rs
from raystream.testing import feed
from raystream.verify.evaluate import evaluate
from tests.verify.any_pipeline import columns, keyed
from tests.verify.any_pipeline.part import DoesNotFit, Making, Part, schemas
from tests.verify.any_pipeline.rows import interrupted

SEEDS = int(os.environ.get("RAYSTREAM_ANY_PIPELINE_SEEDS", "25"))
GONE = ("update_before", "delete")
DIGITS = 9
"""Sums of floats depend on their order in the last digits."""


def pipeline(chance: random.Random) -> tuple[Making, list[Part]]:
    """A source, up to six steps, and one or two ends."""
    making = Making(chance, rs.Pipeline("any"))
    part = making.source()
    for _ in range(chance.randint(1, 6)):
        part = step(part)
    ends = [part]
    if chance.random() < 1 / 3:
        ends.append(step(part))
    for number, end in enumerate(ends):
        options = {"changes": "log"} if end.changes else {}
        end.stream.write(rs.Collect(), name=f"out{number}", **options)
    return making, ends


def step(part: Part) -> Part:
    """Any verb that can stand here."""
    verbs = part.making.chance.choice([columns.ALL, keyed.ALL])
    said = len(part.making.written)
    try:
        return part.making.chance.choice(verbs)(part)
    except DoesNotFit:
        del part.making.written[said:]
        return part


def comparable(value: Any) -> Any:
    """Rounded and hashable; NaN is one value, and true is not 1."""
    if isinstance(value, float):
        return "NaN" if value != value else float(f"{value:.{DIGITS}g}") + 0.0  # noqa: PLR0124
    if isinstance(value, bool):
        return str(value)
    if isinstance(value, list):
        return tuple(map(comparable, value))
    return value


def left(rows: Iterable[Mapping[str, Any]]) -> Counter[tuple[Any, ...]]:
    """The rows that are there when all changes are applied."""
    found: Counter[tuple[Any, ...]] = Counter()
    for row in rows:
        sign = -1 if row.get("op") in GONE else 1
        visible = sorted((name, comparable(v)) for name, v in row.items() if name != "op")
        found[tuple(visible)] += sign
    assert min(found.values(), default=0) >= 0, "a row is taken back that was not there"
    return +found


@pytest.mark.parametrize("seed", range(SEEDS))
def test_the_answer_is_that_of_plain_python(seed: int) -> None:
    chance = random.Random(seed)
    making, ends = pipeline(chance)
    parallelism = [chance.randint(1, 3) for _ in range(4)]
    rows = {name: interrupted(chance, rows) for name, rows in making.rows.items()}
    found = feed(making.pipeline, rows, parallelism=parallelism)
    graph = making.pipeline.graph()
    names = {edge: schema.names() for edge, schema in schemas(graph).items()}
    expected = evaluate(graph, making.rows, names)
    for number in range(len(ends)):
        right, answer = left(expected[f"out{number}"]), left(found[f"out{number}"])
        story = "\n".join(making.written)
        assert answer == right, f"{story}\nmissing {right - answer}\ntoo many {answer - right}"
