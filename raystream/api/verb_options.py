"""Options of a stream's verbs, and the side outputs of their steps."""

from __future__ import annotations

import typing
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from raystream.api.arguments import chosen
from raystream.api.origin import wrong
from raystream.api.pipeline import declared
from raystream.api.row_columns import RowColumns, returned_types
from raystream.graph.logical import Edge
from raystream.graph.policies import ErrorPolicy
from raystream.operators.rows.step import Map
from raystream.operators.step import Inputs, Step


def row_columns(functions: Mapping[str, Callable[[Any], Any]], errors: ErrorPolicy) -> Map:
    """The step that computes columns by functions of the row."""
    return Map(RowColumns(functions), None, returned_types(functions), errors)


def policy_of(errors: str) -> ErrorPolicy:
    """The policy that `errors=` names.

    Raises:
        ConfigurationError: there is no such policy.
    """
    policy: ErrorPolicy = chosen(errors, "errors", ErrorPolicy)
    return policy


def declared_or_annotated(schema: Any, annotation: Any) -> Any:
    """Columns that a function returns: declared, else from its return annotation, else None."""
    if schema is not None:
        return declared(schema)
    structured = typing.is_typeddict(annotation) or hasattr(annotation, "__dataclass_fields__")
    return declared(annotation) if structured else None


def check_step(step: object, others: int) -> None:
    """Refuse an object that is not a step with an operator, and inputs that it does not read.

    Raises:
        ConfigurationError: at the user's line, with what to write.
    """
    if not isinstance(step, Step) or not step.alone().operator:
        text = f"step takes the step of a verb, not {step!r}"
        raise wrong(text, "make a subclass of raystream.operators.step.Step with operator=")
    if others and step.inputs is not Inputs.MANY:
        text = f"{step.word} reads one stream"
        raise wrong(text, "leave out the others")


def key_behind(step: Step, keys: Sequence[tuple[str, ...]]) -> tuple[str, ...]:
    """The key of a step's output, if the columns are not known yet.

    Args:
        step: Any.
        keys: Of its inputs.
    """
    from raystream.data.schema import Schema

    return step.key([Schema({}, open=True).with_key(key) for key in keys])


def check_dead_letters(step: Step, edge: Edge) -> None:
    """Refuse `.errors` of a step that has none.

    Raises:
        ConfigurationError: at the user's line, with what to write.
    """
    if step.errors is None or edge.tag != "main":
        text = "this stream has no .errors"
        raise wrong(text, "they belong to the step that has errors=")
    if step.errors is not ErrorPolicy.DLQ:
        verb = "errors" if step.source is None else "p.read(.., errors"
        text = f"nothing comes out of .errors: the policy is {step.errors!s}"
        raise wrong(text, f'write {verb}="dlq"' + (")" if verb != "errors" else ""))


def check_late(step: Step, edge: Edge) -> None:
    """Refuse `.late` of anything but the result of `agg`.

    Raises:
        ConfigurationError: at the user's line, with what to write.
    """
    if "late" not in step.tags() or edge.tag != "main":
        text = "only a stream made by .window(..).agg(..), .over(..).agg(..) or .join(..) has .late"
        raise wrong(text, "write counts = rows.window(..).agg(..), then counts.late.write(..)")
