"""Rows that a step cannot compute, by its policy: fail, skip and count, or dead letters."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import polars as pl

from raystream.context import LeftOut, SubtaskContext
from raystream.data.batch import MESSAGE_KEY, PLACE, TIME, Batch
from raystream.data.beyond_python import shown_rows
from raystream.data.changes import CHANGE, RowKind
from raystream.data.left_out import redacted, row_json
from raystream.errors import DataError, RaystreamError, UserCodeError
from raystream.formats.rejects import dead_letters
from raystream.graph.policies import ErrorPolicy
from raystream.ids import HIDDEN, StepName
from raystream.observe.samples import shortened
from raystream.operators.operator import Output
from raystream.operators.user_code import Raised

Row = Mapping[str, Any]

_GONE = (RowKind.UPDATE_BEFORE, RowKind.DELETE)


@dataclass(frozen=True, slots=True)
class BadRow:
    """A row and why it cannot be computed.

    Args:
        row: User columns, as input to the step.
        reason: Why.
        cause: Exception of the user's function.
        where: The line at which it raised.
        advice: What helps, if the policy is `fail`.
        kind: Exception class to raise then, if the function raised nothing.
        time: Event time, epoch ms.
        key: Message key, if the row still has it.
        place: Its number (data.batch.PLACE), if it has one.
        gone: It takes another row back, whose fate it shares.
    """

    row: Row
    reason: str
    cause: BaseException | None = None
    where: str = ""
    advice: str = ""
    kind: type[RaystreamError] = DataError
    time: int | None = None
    key: bytes | None = None
    place: int | None = None
    gone: bool = False


class RowErrors:
    """Applies the policy of a step to rows that it cannot compute.

    Args:
        policy: The user's choice for this step.
        where: Place for messages; default: the user's line of the step.
        step: Name for dead letters; default: the name of the step.
        tag: Output that takes dead letters.
    """

    def __init__(
        self, policy: ErrorPolicy, where: str = "", step: StepName = "", tag: str = "errors"
    ) -> None:
        self.policy = policy
        self._where = where
        self._step = step
        self._tag = tag

    def open(self, ctx: SubtaskContext, output: Output) -> None:
        """Called once, when the operator is opened."""
        self._ctx = ctx
        self._output = output
        self._where = self._where or ctx.origin
        self._step = self._step or ctx.step

    def without(self, frame: pl.DataFrame, reasons: pl.Series) -> pl.DataFrame:
        """Return the rows that can be computed; the policy handles the others.

        Args:
            frame: User columns and hidden columns.
            reasons: String, one per row: why it cannot be computed; null: it can.

        Raises:
            DataError: a row cannot be computed, and the policy is `fail`.
        """
        good = reasons.is_null()
        if good.all():
            return frame
        bad = frame.filter(~good)
        self.reject(bad_rows(bad, reasons.filter(~good).to_list()))
        return frame.filter(good)

    def reject(self, bad: Sequence[BadRow]) -> None:
        """Apply the policy to rows (at least one).

        Raises:
            DataError: the policy is `fail`.
            UserCodeError: the same, and the user's function raised.
        """
        if self.policy is ErrorPolicy.FAIL:
            raise self._failure(bad[0])
        bad = [one for one in bad if not one.gone]
        if not bad:
            return
        kind = "skipped_rows" if self.policy is ErrorPolicy.SKIP else "dlq_rows"
        self._ctx.count(kind, len(bad))
        self._ctx.sample(kind, lambda: (self._left_out(one) for one in bad))
        if self.policy is ErrorPolicy.DLQ:
            letters = [self._dead_letter(one) for one in bad]
            self._output.emit(Batch(dead_letters(letters)), self._tag)

    def _failure(self, bad: BadRow) -> RaystreamError:
        shown = shown_row(bad)
        what = f"{bad.reason}, in the row {shown}"
        kind = bad.kind if bad.cause is None else UserCodeError
        advice = bad.advice or "correct it, or give the step errors='dlq' or errors='skip'"
        error = kind(what, bad.where or self._where, advice)
        error.__cause__ = bad.cause
        error.places = () if bad.place is None else (bad.place,)
        error.record = shown
        return error

    def _origin(self) -> str:
        return f"step {self._step}" + (f", {self._where}" if self._where else "")

    def _left_out(self, bad: BadRow) -> LeftOut:
        return LeftOut(row_json(redacted(bad.row)), bad.reason, self._origin())

    def _dead_letter(self, bad: BadRow) -> _DeadLetter:
        where = bad.where or self._where
        parts = {"step": self._step, **({"line": where} if where else {})}
        key, value = self._key(bad), row_json(bad.row).encode("utf-8", "replace")
        return _DeadLetter(self._origin(), parts, key, value, bad.reason, bad.time)

    def _key(self, bad: BadRow) -> bytes | None:
        """The message key, else the key columns of the row."""
        if bad.key is not None:
            return bad.key
        key = {name: bad.row[name] for name in self._ctx.keys if name in bad.row}
        return row_json(key).encode("utf-8", "replace") if key else None


@dataclass(frozen=True, slots=True)
class _DeadLetter:
    """See formats.rejects.RejectedRecord."""

    origin: str
    headers: Mapping[str, str]
    key: bytes | None
    value: bytes | None
    reason: str
    timestamp: int | None


def bad_rows(frame: pl.DataFrame, reasons: Sequence[str]) -> list[BadRow]:
    """Rows of a frame, each with the reason why it cannot be computed.

    Args:
        frame: User columns and hidden columns, of the bad rows alone.
        reasons: One per row.
    """
    rows = shown_rows(frame.select(c for c in frame.columns if not c.startswith(HIDDEN)))
    if not rows:  # no user columns: there are rows nevertheless
        rows = [{} for _ in reasons]
    origins = zip(
        *(_hidden(frame, name) for name in (TIME, MESSAGE_KEY, PLACE, CHANGE)), strict=True
    )
    return [
        BadRow(row, reason, time=time, key=key, place=place, gone=kind in _GONE)
        for row, reason, (time, key, place, kind) in zip(rows, reasons, origins, strict=True)
    ]


def shown_row(bad: BadRow) -> str:
    """The row for a message, cut short, without values whose names suggest secrets."""
    return shortened(row_json(redacted(bad.row)))


def reject_raised(
    errors: RowErrors, frame: pl.DataFrame, told: Mapping[int, Raised]
) -> pl.DataFrame:
    """Return the rows for which the user's function did not raise; the policy handles the others.

    Args:
        errors: The policy.
        frame: User columns and hidden columns.
        told: Exceptions by row number.
    """
    order = sorted(told)
    rows = bad_rows(frame[order], [told[index].reason for index in order])
    errors.reject(
        [
            replace(row, cause=told[index].cause, where=told[index].where)
            for index, row in zip(order, rows, strict=True)
        ]
    )
    return frame[[index for index in range(frame.height) if index not in told]]


def _hidden(frame: pl.DataFrame, name: str) -> Sequence[Any]:
    """Values of a hidden column, None if the rows do not have it."""
    if name not in frame.columns:
        return [None] * frame.height
    return frame.get_column(name).to_list()


def places(frame: pl.DataFrame) -> Sequence[int]:
    """Numbers of all rows that have one."""
    return [place for place in _hidden(frame, PLACE) if place is not None]
