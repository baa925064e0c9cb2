"""Where in a file something is written, and what is wrong there; all problems are told at once."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from raystream.errors import ConfigurationError
from raystream.graph.logical import Origin


@dataclass(frozen=True, slots=True, order=True)
class Place:
    """A character of a file; line and column count from 1.

    >>> str(Place("job.yaml", 3, 14))
    'job.yaml:3:14'
    """

    file: str
    line: int
    column: int

    def __str__(self) -> str:
        """`file:line:column`, as editors jump to."""
        return f"{self.file}:{self.line}:{self.column}"

    def origin(self) -> Origin:
        """The same for a step of the graph."""
        return Origin(self.file, self.line, self.column)


@dataclass(frozen=True, slots=True)
class Problem:
    """One thing that is wrong.

    Args:
        place: Where.
        path: Way to it from the top of the document, `steps[0].window`; empty at the top.
        message: What is wrong and what to do.
    """

    place: Place
    path: str
    message: str

    def __str__(self) -> str:
        """`file:line:col: path: message`."""
        path = f"{self.path}: " if self.path else ""
        return f"{self.place}: {path}{self.message}"


class InvalidFile(ConfigurationError):
    """A pipeline file cannot run; carries everything that is wrong with it.

    Args:
        problems: At least one, in the order of the file.
    """

    def __init__(self, problems: tuple[Problem, ...]) -> None:
        super().__init__(problems[0].message, str(problems[0].place))
        self.problems = problems

    def __str__(self) -> str:
        """One line per problem."""
        return "\n".join(str(problem) for problem in self.problems)


class Problems:
    """What was found wrong so far."""

    def __init__(self) -> None:
        self._found: list[Problem] = []

    def __iter__(self) -> Iterator[Problem]:
        return iter(self._found)

    def __bool__(self) -> bool:
        return bool(self._found)

    def add(self, place: Place, path: str, message: str) -> None:
        """Note one; the same twice counts once."""
        problem = Problem(place, path, message)
        if problem not in self._found:
            self._found.append(problem)

    def raise_if_any(self) -> None:
        """Tell them all.

        Raises:
            InvalidFile: There is at least one.
        """
        if self._found:
            raise InvalidFile(tuple(sorted(self._found, key=lambda p: (p.place, p.path))))
