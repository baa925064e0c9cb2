"""ProcessWith: the user's class called with the rows of two streams; one may be broadcast."""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar

from raystream.operators.call import OTHER_STREAMS, Call, Instance
from raystream.operators.process.step import Process
from raystream.operators.step import Inputs, Step

if TYPE_CHECKING:
    from raystream.data.schema import Schema


@dataclass(frozen=True, slots=True)
class ProcessWith(Process):
    """A `rs.Process` of the user with two inputs.

    Args:
        others: Key columns of the other stream; empty if it is broadcast.
        broadcast: Rows of the other stream go to every subtask.

    >>> ProcessWith(rs.Process(), ("shop",), others=("code",)).words()
    'process Process by shop with rows by code'
    """

    word: ClassVar[str] = "process_with"
    operator: ClassVar[str] = "raystream.operators.process_with.operator:ProcessWith"
    inputs: ClassVar[Inputs] = Inputs.MANY

    others: tuple[str, ...] = ()
    broadcast: bool = False

    def outputs(self, inputs: Sequence[Schema]) -> dict[str, Schema]:
        """Side outputs without columns of their own have those of this stream."""
        left, right = inputs
        if not self.broadcast and not left.open and not right.open:
            self._check_keys(left, right)
        return Process.outputs(self, inputs)

    def _check_keys(self, left: Schema, right: Schema) -> None:
        from raystream.errors import ConfigurationError
        from raystream.operators.joins.columns import key_types

        pairs = tuple(zip(self.keys, self.others, strict=True))
        try:
            key_types(left.columns, right.columns, pairs)
        except ConfigurationError as error:
            error.what = error.what.replace("join:", "process_with:", 1)
            raise

    def routing(self, port: int) -> tuple[str, ...] | None:
        """Rows of one key go to the same subtask."""
        return self.others if port else self.keys

    def broadcasts(self) -> tuple[int, ...]:
        """The other stream, if it is so."""
        return (1,) if self.broadcast else ()

    def resolved(self, inputs: Sequence[Schema]) -> Step:
        """Add the types of the keys, which hold those of both streams."""
        from raystream.operators.joins.columns import merged_type

        known = Process.resolved(self, inputs)
        left, right = inputs
        if self.broadcast or known is self or right.open:
            return known
        pairs = zip(self.keys, self.others, strict=True)
        types = {a: merged_type(left.columns[a], right.columns[b]) for a, b in pairs}
        return known.but(types=types)

    def needs_order(self, asked: Collection[str]) -> bool:
        """Rows of two streams have no common order."""
        return False

    def methods(self) -> tuple[Callable[..., Any], ...]:
        """One for each stream."""
        return (self.process.on_left, self.process.on_right)

    def meaning(self) -> dict[str, Any]:
        """With both keys."""
        more = {"broadcast": True} if self.broadcast else {"others": list(self.others)}
        return {**Process.meaning(self), "kind": "ProcessWith", **more}

    def words(self) -> str:
        """With the class and both keys."""
        other = "broadcast rows" if self.broadcast else f"rows by {', '.join(self.others)}"
        return f"{Process.words(self)} with {other}"

    def label(self) -> tuple[str, str]:
        """With the class."""
        return "process_with", self._name()

    def calls(self) -> tuple[Call, ...]:
        """`.process_with(other, ..)`."""
        (call,) = Process.calls(self)
        options = {**call.options, **({"broadcast": True} if self.broadcast else {})}
        return (Call("process_with", (OTHER_STREAMS, Instance(self.process)), options),)
