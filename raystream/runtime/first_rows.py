"""Check columns known only from the first rows; a misspelt one is an error at the user's line."""

from __future__ import annotations

from collections.abc import Callable

from raystream.connectors.traits import row_check
from raystream.data.batch import Batch
from raystream.data.schema import Schema
from raystream.errors import ConfigurationError
from raystream.operators.step import Inputs
from raystream.operators.user_code import untyped
from raystream.plan.physical import StepSpec

Check = Callable[[Batch], None]


def first_check(spec: StepSpec) -> Check | None:
    """Check of the first rows for this step; None if the plan knows their columns.

    The check raises a ConfigurationError at the line of the step.
    """
    if spec.output.open and spec.step.sink is None:
        return _refused(spec)
    if not any(schema.open for schema in spec.inputs):
        return None
    if spec.step.inputs is Inputs.MANY or not spec.step.told_by_rows():
        return None  # rows of one input say nothing about the others

    def check(batch: Batch) -> None:
        try:
            _check(spec, Schema.of_frame(batch.frame.schema))
        except ConfigurationError as error:
            raise ConfigurationError(error.what, str(spec.origin), error.what_to_do) from None

    return check


def _refused(spec: StepSpec) -> Check:
    """Refuse types that are unknown when the job starts: each subtask would find others."""

    def check(batch: Batch) -> None:
        raise untyped(spec.name, str(spec.origin))

    return check


def _check(spec: StepSpec, columns: Schema) -> None:
    if spec.step.sink is None:
        spec.step.outputs([columns])
        return
    check_rows = row_check(spec.step.sink)
    if check_rows is not None and spec.write is not None:
        check_rows(spec.write.told_by(columns))
