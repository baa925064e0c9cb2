"""One figure of the table: what was measured, beside what is wanted."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from statistics import median
from typing import Literal

HEADER = f"{'figure':58} {'measured':>12} {'target':>12}  {'':6} of"
_AT_MOST: Literal["<="] = "<="


@dataclass(frozen=True, slots=True)
class Figure:
    """A measured number and its target.

    Args:
        name: What it is, in a few words.
        values: Each time that it was measured.
        unit: Of value and target.
        target: What is wanted; None: it is only told.
        better: `<=` or `>=`: on which side of the target it should be.
        beside: What it was compared with, or how it came about.
    """

    name: str
    values: tuple[float, ...]
    unit: str
    target: float | None = None
    better: Literal["<=", ">="] = _AT_MOST
    beside: str = ""

    @property
    def value(self) -> float:
        """The median."""
        return median(self.values)

    @property
    def met(self) -> bool | None:
        """Whether the median is on the right side of the target; None: it has none."""
        if self.target is None:
            return None
        return self.value <= self.target if self.better == "<=" else self.value >= self.target

    def line(self) -> str:
        """The figure in the table.

        >>> Figure("idle job", (4.0, 5.0, 9.0), "%", 6, beside="300 s").line().split(maxsplit=3)
        ['idle', 'job', '5', '%         <= 6 %  met    300 s [4..9]']
        """
        wanted = "" if self.target is None else f"{self.better} {_short(self.target, self.unit)}"
        verdict = {True: "met", False: "MISSED", None: ""}[self.met]
        spread = ""
        if len(self.values) > 1:
            spread = f" [{min(self.values):.3g}..{max(self.values):.3g}]"
        measured = _short(self.value, self.unit)
        beside = self.beside + (spread if self.beside else spread.strip())
        return f"{self.name:58} {measured:>12} {wanted:>12}  {verdict:6} {beside}".rstrip()

    def document(self) -> dict[str, object]:
        """The figure as JSON."""
        return {
            "figure": self.name,
            "value": self.value,
            "values": list(self.values),
            "unit": self.unit,
            "target": self.target,
            "better": self.better,
            "met": self.met,
            "beside": self.beside,
        }


def repeated(times: int, measure: Callable[[], Sequence[Figure]]) -> list[Figure]:
    """Measure several times and put the values of each figure together.

    >>> values = iter([3.0, 1.0, 2.0])
    >>> repeated(3, lambda: [Figure("x", (next(values),), "s")])[0].value
    2.0
    """
    found: dict[str, Figure] = {}
    for _ in range(times):
        for one in measure():
            before = found[one.name].values if one.name in found else ()
            values = (*before, *one.values)
            found[one.name] = Figure(one.name, values, one.unit, one.target, one.better, one.beside)
    return list(found.values())


def as_json(figures: Iterable[Figure], about: dict[str, object]) -> str:
    """All figures and what the run was, as one document."""
    return json.dumps({**about, "figures": [one.document() for one in figures]}, indent=2)


def _short(value: float, unit: str) -> str:
    return f"{value:,.0f} {unit}" if abs(value) >= 1000 else f"{value:.3g} {unit}"
