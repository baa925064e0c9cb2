"""How the protocol talks: a procedure yields a command and is sent its answer."""

from __future__ import annotations

from collections.abc import Generator
from typing import Any, Generic, TypeVar

R = TypeVar("R")
T = TypeVar("T")


class Command(Generic[R]):
    """Something a procedure asks of the world; `R` is the type of the answer.

    Every command has a `name`: the place in the protocol, where tests may kill the process before
    and after it is performed (raystream.checkpoint.protocol.commands.POINTS).
    """

    __slots__ = ()

    @property
    def name(self) -> str:
        """The place in the protocol."""
        raise NotImplementedError


Procedure = Generator[Command[Any], Any, T]
"""A step-by-step text of the protocol; returns a T, or raises Superseded, OutputLost, ..."""


def ask(command: Command[R]) -> Procedure[R]:
    """Yield one command and return its answer, with its type; used with `yield from`."""
    answer: R = yield command
    return answer
