"""Every function and operator there is: its arguments, meaning and how it becomes columns.

The page docs/expressions.md is checked against this table.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace

import polars as pl

from raystream.expressions.bounds import Within
from raystream.expressions.problem import Problem
from raystream.expressions.values import NULL, TIMES, Fault, Typed, as_float, as_integer, made

Build = Callable[["Arguments"], Typed]


@dataclass(frozen=True, slots=True)
class Arguments:
    """What a function is called with.

    Args:
        parts: The arguments.
        at: Where the name stands.
        name: Of the function, as in the text.
        shown: The whole call as text, for messages about rows.
    """

    parts: tuple[Typed, ...]
    at: int
    name: str
    shown: str

    def __getitem__(self, number: int) -> Typed:
        """One argument."""
        return self.parts[number]

    def __len__(self) -> int:
        """How many there are."""
        return len(self.parts)

    def values(self) -> list[pl.Expr]:
        """Their columns."""
        return [part.value for part in self.parts]

    def gives(self, value: pl.Expr, dtype: pl.DataType, *faults: Fault) -> Typed:
        """The result, with the faults of the arguments before its own."""
        return made(value, dtype, self.parts, self.at, *faults)

    def fault(self, when: pl.Expr, reason: str) -> Fault:
        """Rows for which this call cannot be computed."""
        return Fault(when, f"{reason} in {self.shown}")


@dataclass(frozen=True, slots=True)
class Function:
    """One line of the page.

    Args:
        group: `Text`, `Numbers`, ..
        name: Lower case.
        takes: Kinds of the arguments, `text integer integer?`; `..` behind the last repeats it,
            `!` demands a value that is written out.
        meaning: One sentence.
        build: Arguments of those kinds -> result.
        also: Other names.
        shown: As it is written, where that is not a call: `a + b`.
        differs: What DuckDB does otherwise; empty: nothing.
    """

    group: str
    name: str
    takes: str
    meaning: str
    build: Build
    also: tuple[str, ...] = ()
    shown: str = ""
    differs: str = ""


@dataclass(frozen=True, slots=True)
class Table:
    """All functions by every name."""

    functions: Mapping[str, Function] = field(default_factory=dict)

    def __getitem__(self, name: str) -> Function:
        """The function of a name."""
        return self.functions[name]


def simple(
    group: str,
    name: str,
    takes: str,
    gives: pl.DataType,
    meaning: str,
    value: Callable[..., pl.Expr],
    *,
    also: Sequence[str] = (),
    differs: str = "",
    within: Within | None = None,
) -> Function:
    """A function that cannot fail for a row and gives null where an argument is null."""

    def build(given: Arguments) -> Typed:
        return replace(given.gives(value(*given.values()), gives), within=within)

    return Function(group, name, takes, meaning, build, tuple(also), differs=differs)


def called(function: Function, given: Arguments) -> Typed:
    """The function of these arguments, after a check of their number and kinds.

    Raises:
        Problem: they do not fit; says which.
    """
    kinds = kinds_of(function, given.name, len(given), given.at)
    fitted = tuple(
        _fitted(part, wanted, given, number)
        for number, (part, wanted) in enumerate(zip(given.parts, kinds, strict=True), 1)
    )
    return function.build(Arguments(fitted, given.at, given.name, given.shown))


def kinds_of(function: Function, name: str, number: int, at: int) -> list[str]:
    """The kind that each argument must have.

    Raises:
        Problem: it does not take so many.
    """
    wanted = function.takes.split()
    if wanted and wanted[-1] == "..":
        wanted = wanted[:-1]
        wanted += [wanted[-1]] * (number - len(wanted))
    least = sum(not kind.endswith("?") for kind in wanted)
    if not least <= number <= len(wanted):
        message = f"{name} takes {_number(function)}, not {number}"
        raise Problem(message, at, f"write {call_form(function)}")
    return [kind.removesuffix("?") for kind in wanted[:number]]


def _number(function: Function) -> str:
    words = function.takes.split()
    if not words:
        return "no argument"
    if words[-1] == "..":
        return f"{len(words) - 1} or more arguments"
    least = sum(not word.endswith("?") for word in words)
    both = str(len(words)) if least == len(words) else f"{least} to {len(words)}"
    return f"{both} argument{'s' if both != '1' else ''}"


def call_form(function: Function) -> str:
    """How it is written.

    >>> call_form(Function("Text", "left", "text integer", "", lambda given: given[0]))
    'left(text, integer)'
    """
    if function.shown:
        return function.shown
    words = function.takes.replace("!", "").split()
    optional = [f"[, {w[:-1]}]" if w.endswith("?") else f", {w}" for w in words]
    return f"{function.name}({''.join(optional).removeprefix(', ')})"


_TEMPORAL = (*TIMES, "time", "interval")
_FITS: Mapping[str, tuple[str, ...]] = {
    "any": (),
    "text": ("string",),
    "json": ("string",),
    "integer": ("integer",),
    "number": ("integer", "float", "decimal"),
    "float": ("integer", "float", "decimal"),
    "boolean": ("boolean",),
    "time": TIMES,
    "temporal": _TEMPORAL,
    "list": ("list",),
    "bytes": ("string", "binary"),
}
_NULLS: Mapping[str, pl.DataType] = {
    "text": pl.String(),
    "json": pl.String(),
    "integer": pl.Int64(),
    "number": pl.Int64(),
    "float": pl.Float64(),
    "boolean": pl.Boolean(),
    "time": pl.Datetime("us"),
    "bytes": pl.String(),
}


def _fitted(part: Typed, wanted: str, given: Arguments, number: int) -> Typed:
    """The argument as the kind that is wanted."""
    kind = wanted.removesuffix("!")
    if wanted.endswith("!") and not part.written:
        message = f"argument {number} of {given.name} must be written out, not computed"
        raise Problem(message, part.at)
    if kind == "any":
        return part
    if part.kind == "null":
        dtype = _NULLS.get(kind, NULL)
        return Typed(pl.lit(None, dtype), dtype, part.at, part.faults, None, "NULL")
    if kind == "time" and part.kind == "string" and part.written:
        from raystream.expressions.casts import of_text

        part = of_text(part, "timestamp")
    if part.kind not in _FITS[kind]:
        message = f"argument {number} of {given.name} is {_a(part.kind)}, not {_a(kind)}"
        raise Problem(message, part.at, _advice(part.kind, kind))
    if kind == "integer":
        return as_integer(part)
    if kind == "float":
        return as_float(part)
    return part


def _a(word: str) -> str:
    return (
        word
        if word in ("text", "json", "bytes")
        else f"{'an' if word[0] in 'aeio' else 'a'} {word}"
    )


def _advice(kind: str, wanted: str) -> str:
    if wanted in ("time", "temporal") and kind in ("integer", "string"):
        return "write CAST(.. AS TIMESTAMP) around it: epoch milliseconds or ISO text"
    words = {"text": "varchar", "integer": "bigint", "number": "double", "float": "double"}
    return f"write CAST(.. AS {words[wanted]}) around it" if wanted in words else ""
