"""What is wrong in the text of an expression, and at which character."""

from __future__ import annotations

from raystream.errors import ConfigurationError


class Problem(Exception):
    """Something is wrong at a character of the text; becomes a BadExpression with the text.

    Args:
        message: What is wrong.
        at: Number of the character, from 0.
        advice: What to do.
    """

    def __init__(self, message: str, at: int, advice: str = "") -> None:
        super().__init__(message)
        self.message = message
        self.at = at
        self.advice = advice


class BadExpression(ConfigurationError):
    """An expression that cannot be computed; knows its text and the place in it.

    `text` is the whole expression, `offset` the character (from 0); `fault` the fault without them
    and `message` with advice, for whoever has a better place to show than the text.
    """

    text: str
    offset: int
    fault: str
    message: str


def bad(text: str, problem: Problem) -> BadExpression:
    """The error for people: fault, and the text with a mark where it is.

    >>> print(bad("price * abz(x)", Problem("no function 'abz'", 8, "did you mean 'abs'?")))
    no function 'abz', at character 9 of "price * abz(x)"; did you mean 'abs'?
    """
    what = problem.message
    if not (what.startswith("no column") and text.strip().isidentifier()):  # a name is found
        what = f"{what}, at character {problem.at + 1} of {shown(text)}"
    found = BadExpression(what, what_to_do=problem.advice)
    found.text, found.offset, found.fault = text, problem.at, problem.message
    found.message = f"{problem.message}; {problem.advice}" if problem.advice else problem.message
    return found


def shown(text: str) -> str:
    """The text in quotes, on one line."""
    flat = " ".join(text.split())
    return f'"{flat if len(flat) <= 120 else flat[:117] + "..."}"'
