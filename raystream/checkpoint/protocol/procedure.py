"""Interface of the protocol: a procedure yields a command and receives its answer."""

from __future__ import annotations

from collections.abc import Generator
from typing import Any, Generic, TypeVar

R = TypeVar("R")
T = TypeVar("T")


class Command(Generic[R]):
    """A request of a procedure to its environment; `R` is the type of the answer.

    Every command has a `name`: the point in the protocol, where tests may kill the process before
    and after the command is performed (raystream.checkpoint.protocol.commands.POINTS).
    """

    __slots__ = ()

    @property
    def name(self) -> str:
        """The point in the protocol."""
        raise NotImplementedError


Procedure = Generator[Command[Any], Any, T]
"""A procedure of the protocol; returns a T, or raises Superseded, OutputLost, ..."""


def ask(command: Command[R]) -> Procedure[R]:
    """Yield one command and return its answer, with its type; used with `yield from`."""
    answer: R = yield command
    return answer
