"""What steps share that aggregate before the exchange."""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from typing import TYPE_CHECKING, Any, ClassVar

from raystream.operators.step import Step

if TYPE_CHECKING:
    from raystream.data.schema import Schema


class LocalStep(Step):
    """Partials before the exchange; added by the plan, never by the user.

    Attributes:
        aggregate: The step of the user that it is a part of.
    """

    __slots__ = ()

    is_local: ClassVar[bool] = True
    keeps_records: ClassVar[bool] = False

    aggregate: Any

    def user_functions(self) -> tuple[Callable[..., Any], ...]:
        """As the whole."""
        found: tuple[Callable[..., Any], ...] = self.aggregate.user_functions()
        return found

    def key(self, inputs: Sequence[Schema]) -> tuple[str, ...]:
        """That of the whole."""
        found: tuple[str, ...] = self.aggregate.keys
        return found

    def needs_order(self, asked: Collection[str]) -> bool:
        """As the whole."""
        return bool(self.aggregate.needs_order(asked))

    def words(self) -> str:
        """What they are."""
        return "partial aggregates"
