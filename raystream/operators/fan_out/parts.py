"""FanOut: steps that read the same rows and stand before an exchange, as one step of the chain."""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar

from raystream.ids import StepName
from raystream.operators.fast_path import FastPath
from raystream.operators.step import Step

if TYPE_CHECKING:
    from raystream.data.schema import Schema


@dataclass(frozen=True, slots=True)
class Part:
    """One of the steps.

    Args:
        name: Its own name; its rows are output `name`.
        where: The user's line of it.
        step: A step that `is_local`.
    """

    name: StepName
    where: str
    step: Step


@dataclass(frozen=True, slots=True)
class FanOut(Step):
    """Added by the plan, never by the user: so the rows themselves are not sent.

    Args:
        parts: The steps.
        passes: Others read the rows, too: they are output `main`.

    >>> FanOut((Part("a", "", Step()), Part("b", "", Step())), passes=False).words()
    'a, b'
    """

    word: ClassVar[str] = "fan_out"
    operator: ClassVar[str] = "raystream.operators.fan_out.operator:FanOut"

    parts: tuple[Part, ...]
    passes: bool

    def outputs(self, inputs: Sequence[Schema]) -> dict[str, Schema]:
        """The rows, and those of each part."""
        found = {part.name: part.step.outputs(inputs)["main"] for part in self.parts}
        return {"main": inputs[0], **found}

    def fast_paths(self) -> tuple[FastPath, ...]:
        """Those of its parts, each once."""
        return tuple(dict.fromkeys(p for part in self.parts for p in part.step.fast_paths()))

    def tags(self) -> tuple[str, ...]:
        """One for each part."""
        return tuple(part.name for part in self.parts)

    def user_functions(self) -> tuple[Callable[..., Any], ...]:
        """Those of its parts."""
        return tuple(each for part in self.parts for each in part.step.user_functions())

    def unchanged(self, names: Collection[str]) -> frozenset[str]:
        """All."""
        return frozenset(names)

    def needs_order(self, asked: Collection[str]) -> bool:
        """As its parts, and for those behind."""
        return "main" in asked or any(part.step.needs_order(()) for part in self.parts)

    def told_by_rows(self) -> bool:
        """Whether the rows say enough about every part."""
        return all(part.step.told_by_rows() for part in self.parts)

    def words(self) -> str:
        """The names."""
        return ", ".join(part.name for part in self.parts)
