"""Drives a procedure through every possible sequence of answers."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from raystream.checkpoint.protocol.procedure import Command, Procedure

Answers = Callable[[Command[Any], Sequence[Any]], Sequence[Any]]
"""All answers that the world may give to a command, after the answers so far."""


@dataclass(frozen=True)
class Path:
    """One complete run: the commands with their answers, and how it ended."""

    story: tuple[tuple[Command[Any], Any], ...]
    outcome: Any  # the value returned, or the exception raised

    def named(self, *names: str) -> list[tuple[Command[Any], Any]]:
        return [(command, answer) for command, answer in self.story if command.name in names]

    def until(self, name: str) -> tuple[tuple[Command[Any], Any], ...]:
        """The part before the first command called `name`."""
        for i, (command, _) in enumerate(self.story):
            if command.name == name:
                return self.story[:i]
        return self.story


def explore(start: Callable[[], Procedure[Any]], answers: Answers) -> Iterator[Path]:
    """Every path of the procedure; `answers` must offer no endless sequence."""
    prefixes: list[tuple[Any, ...]] = [()]
    while prefixes:
        given = prefixes.pop()
        story, waiting, outcome = replay(start, given)
        if waiting is None:
            yield Path(story, outcome)
            continue
        offered = answers(waiting, story)
        assert offered, waiting
        prefixes += [(*given, answer) for answer in offered]


def replay(
    start: Callable[[], Procedure[Any]], given: Sequence[Any]
) -> tuple[tuple[tuple[Command[Any], Any], ...], Command[Any] | None, Any]:
    """Run a procedure with these answers: the story, the command that waits, or the outcome."""
    procedure = start()
    story: list[tuple[Command[Any], Any]] = []
    answer: Any = None
    try:
        for following in given:
            command = procedure.send(answer)
            story.append((command, following))
            answer = following
        return tuple(story), procedure.send(answer), None
    except StopIteration as stop:
        return tuple(story), None, stop.value
    except Exception as error:  # noqa: BLE001 - an outcome to be judged
        return tuple(story), None, error
