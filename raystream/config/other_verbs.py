"""Verbs without a form of their own: the fields of their steps are their options."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import fields as fields_of
from typing import Any, cast

from raystream.config.dataclass_forms import first_line, form_of
from raystream.config.shapes import Field, Record, Shape, one_or_more
from raystream.operators.registry import formless, verbs
from raystream.operators.step import Inputs, Step

Fields = Mapping[str, Field]


def other_verbs(name: Shape, errors: Fields, common: Fields) -> dict[str, Record]:
    """How each is written, by its word.

    Args:
        name: Shape of the name of a step.
        errors: Fields of a step with a policy.
        common: Fields of every step.
    """
    return {word: _record(word, verbs()[word], name, errors, common) for word in formless()}


def _record(word: str, step: type[Step], name: Shape, errors: Fields, common: Fields) -> Record:
    has_errors = "errors" in {each.name for each in fields_of(cast("Any", step))}
    shape = form_of(f"the step {word}", step, ("errors",))
    others = {"with": Field(one_or_more(name), "Further inputs: steps or sources.")}
    return Record(
        f"a step {word}",
        {
            word: Field(shape, first_line(step, word), required=True),
            **(others if step.inputs is Inputs.MANY else {}),
            **(errors if has_errors else {}),
            **common,
        },
    )
