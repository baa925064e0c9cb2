"""Every verb of the registry has what a verb must have."""

from __future__ import annotations

import dataclasses
import pickle
from pathlib import Path
from typing import Any

import pytest

import raystream as rs
from raystream.api.stream import Stream
from raystream.config.model import PIPELINE
from raystream.config.step_forms import STEP
from raystream.operators.operator import create
from raystream.operators.registry import verbs
from raystream.operators.step import Inputs, Step, UserCode
from raystream.verify import evaluate
from tests import steps

OPERATORS = (Path(__file__).parents[2] / "docs/operators.md").read_text()
DOCS = sorted((Path(__file__).parents[2] / "docs").rglob("*.md"))
ASKED = rs.tumbling("1m"), {"n": rs.count()}
EXAMPLES: dict[str, Step] = {
    step.word: step
    for step in [
        steps.Read(rs.Rows([{"n": 1}])),
        steps.Filter("n > 1"),
        steps.FilterRows(bool),
        steps.Select(("n",)),
        steps.WithColumns({"m": "n + 1"}),
        steps.Drop(("n",)),
        steps.Rename({"n": "m"}),
        steps.Dedupe(("n",), 60_000),
        steps.Map(dict),
        steps.FlatMap(list),
        steps.MapBatches(len),
        steps.Inspect(repr),
        steps.Over(("n",), {"m": rs.row_number()}, rows=2),
        steps.Process(rs.Process(), ("n",)),
        steps.ProcessWith(rs.Process(), ("n",), others=("m",)),
        steps.Split({"m": "n > 1"}),
        steps.WithEventTime("n"),
        steps.WithProcessingTime(),
        steps.Union(),
        steps.AsofJoin((("n", "m"),), within_ms=60_000),
        steps.WindowJoin((("n", "m"),), window=rs.tumbling("1m")),
        steps.Join((("n", "m"),), ttl_ms=60_000),
        steps.IntervalJoin((("n", "m"),), low=-5000, high=60_000),
        steps.Lookup((("n", "m"),)),
        steps.KeyBy(("n",)),
        steps.WindowAggregate(("n",), *ASKED),
        steps.SessionAggregate(("n",), rs.session("1m"), {"m": rs.count()}),
        steps.GlobalAggregate(("n",), rs.count_window(3), {"m": rs.count()}),
        steps.WindowApply(("n",), rs.tumbling("1m"), len, {"m": "int"}),
        steps.WindowReduce(("n",), rs.tumbling("1m"), reducer=max),
        steps.WindowTop(("n",), rs.tumbling("1m"), number=2, by=(steps.Order("m"),)),
        steps.Reduce(("n",), max),
        steps.GroupAggregate(("n",), {"m": rs.count()}),
        steps.Top(("n",), 3, (steps.Order("n"),)),
        steps.Write(rs.Collect()),
    ]
}
PLANNED: list[Step] = [
    steps.GroupLocal(steps.GroupAggregate((), {"m": rs.count()})),
    steps.WindowLocal(steps.WindowAggregate((), *ASKED)),
    steps.WindowGlobal(steps.WindowAggregate((), *ASKED), pre_aggregated=True),
    steps.RowFunctions((steps.Map(dict),)),
]
OURS = sorted(EXAMPLES)


def method(step: Step) -> str:
    """Name of the stream's method that makes it."""
    return step.calls()[0].verb


def test_every_verb_has_an_example_here() -> None:
    assert verbs().keys() == EXAMPLES.keys()


@pytest.mark.parametrize("word", OURS)
def test_a_verb_has_a_doctest(word: str) -> None:
    assert ">>>" in (verbs()[word].__doc__ or "")


@pytest.mark.parametrize("word", OURS)
def test_a_verb_has_a_method_with_a_doctest(word: str) -> None:
    where: Any = rs.Pipeline if word == "read" else Stream
    assert ">>>" in (getattr(where, method(EXAMPLES[word])).__doc__ or "")


@pytest.mark.parametrize("word", OURS)
def test_a_verb_has_a_form_in_yaml(word: str) -> None:
    step = EXAMPLES[word]
    if step.source is not None or step.sink is not None:
        assert step.form in PIPELINE.fields
    else:
        assert (step.form or word) in STEP.records


@pytest.mark.parametrize("word", OURS)
def test_a_verb_stands_in_the_docs(word: str) -> None:
    call = f".{method(EXAMPLES[word])}"
    assert any(call in page.read_text() for page in DOCS)


@pytest.mark.parametrize("word", OURS)
def test_a_verb_has_a_row_in_the_table_of_operators(word: str) -> None:
    (row,) = (line for line in OPERATORS.splitlines() if line.startswith(f"| `{word}` |"))
    assert len(row.split(" | ")) == 5
    assert "`tests/" in row


@pytest.mark.parametrize("word", OURS)
def test_a_verb_has_an_answer_in_plain_python(word: str) -> None:
    assert word == "read" or word in evaluate._STEPS


@pytest.mark.parametrize("step", [*EXAMPLES.values(), *PLANNED], ids=lambda step: step.word)
def test_a_step_is_a_frozen_value_that_travels(step: Any) -> None:
    assert pickle.loads(pickle.dumps(step)).word == step.word
    assert "__dict__" not in dir(step)
    field = next(iter(dataclasses.fields(step)), None)
    if field is not None:
        with pytest.raises(dataclasses.FrozenInstanceError):
            setattr(step, field.name, None)


@pytest.mark.parametrize("step", [*EXAMPLES.values(), *PLANNED], ids=lambda step: step.word)
def test_a_step_that_is_no_end_has_an_operator(step: Step) -> None:
    if step.source is None and step.sink is None:
        assert create(step).close() is None
    else:
        with pytest.raises(TypeError, match="has no operator"):
            create(step)


@pytest.mark.parametrize("step", [*EXAMPLES.values(), *PLANNED], ids=lambda step: step.word)
def test_what_a_step_says_of_itself_fits_together(step: Step) -> None:
    assert step.words()
    assert step.meaning()["kind"] if step.word != "window_aggregate" else step.meaning()["keys"]
    assert (step.inputs is Inputs.NONE) == (step.source is not None)
    assert not (step.untyped() and step.source is None) or step.user_functions()
    assert step.alone().user_code is not UserCode.ROWS or step.alone().operator
