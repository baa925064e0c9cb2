"""Fields that no column takes: counted by name, reported in one line per source."""

from __future__ import annotations

from collections.abc import Mapping

from raystream.context import Count
from raystream.observe.status import StatusDocument

UNKNOWN = "unknown_fields"
"""Counter of all of them."""

MOST_NAMES = 20
"""Names that a subtask counts separately; the rest is only counted in total."""

_NAMED = "unknown_field "
_SHOWN = 5
_LONGEST = 40


class UnknownNames:
    """Counts unknown fields, the first few of them by name.

    Args:
        count: Counters of the source.
    """

    def __init__(self, count: Count) -> None:
        self._count = count
        self._names: set[str] = set()

    def count(self, seen: Mapping[str, int]) -> None:
        """Add how often each field was seen."""
        self._count(UNKNOWN, sum(seen.values()))
        for name, times in seen.items():
            if name in self._names or len(self._names) < MOST_NAMES:
                self._names.add(name)
                self._count(_NAMED + name, times)


def names_apart(counters: Mapping[str, int]) -> tuple[dict[str, int], tuple[str, ...]]:
    """Split the counters of a step: those without single fields, and the names of these fields.

    >>> names_apart({"rows_out": 5, "unknown_fields": 3, "unknown_field age": 3})
    ({'rows_out': 5, 'unknown_fields': 3}, ('age',))
    """
    plain = {name: n for name, n in counters.items() if not name.startswith(_NAMED)}
    names = [name.removeprefix(_NAMED) for name in counters if name.startswith(_NAMED)]
    return plain, tuple(sorted(names))


def unknown_notes(status: StatusDocument) -> list[str]:
    """One line for each source whose records have fields that no column takes.

    >>> unknown_notes(StatusDocument("sale", "running"))
    []
    """
    found = [step for step in status.steps if step.unknown_names]
    return [told(step.description or step.name, step.unknown_names) for step in found]


def told(source: str, names: tuple[str, ...]) -> str:
    """The message about unknown fields of a source.

    >>> told("kafka topic sales", ("age", "city"))
    'kafka topic sales: no column takes the fields age, city; declare them in schema= to use them'
    """
    fields, them = ("field", "it") if len(names) == 1 else ("fields", "them")
    return f"{source}: no column takes the {fields} {listed(names)}; {how(them)}"


def how(them: str = "them") -> str:
    """How to use such fields."""
    return f"declare {them} in schema= to use {them}"


def listed(names: tuple[str, ...]) -> str:
    """The first few names, cut where they are long.

    >>> listed(("a", "b", "c", "d", "e", "f", "g"))
    'a, b, c, d, e and 2 more'
    """
    shown = [name if len(name) <= _LONGEST else f"{name[:_LONGEST]}…" for name in names[:_SHOWN]]
    more = f" and {len(names) - _SHOWN} more" if len(names) > _SHOWN else ""
    return ", ".join(map(_printable, shown)) + more


def _printable(name: str) -> str:
    return name if name.isprintable() and name else repr(name)
