"""What can be checked of text before any column is known: its form, its functions, its types."""

from __future__ import annotations

from raystream.expressions import casts
from raystream.expressions.parser import RESERVED, parse
from raystream.expressions.problem import Problem, bad
from raystream.expressions.registry import function
from raystream.expressions.table import kinds_of
from raystream.expressions.tree import Call, Cast, Literal, Node, walk


def may_be_name(text: str) -> bool:
    """Whether it may be the name of a column with blanks, which only the columns tell.

    >>> may_be_name("a b"), may_be_name("a > b"), may_be_name("select a")
    (True, False, False)
    """
    words = text.split()
    return all(word.isidentifier() and word.lower() not in RESERVED for word in words)


def check_text(text: str) -> Node:
    """The tree of an expression whose functions and types there are.

    Args:
        text: The expression.

    Raises:
        BadExpression: says what is wrong, and at which character.
    """
    tree = parse(text)
    try:
        for node in walk(tree):
            _check(node)
    except Problem as problem:
        raise bad(text, problem) from None
    except RecursionError:
        raise bad(text, Problem("the expression is too long", 0, "compute parts first")) from None
    return tree


def _check(node: Node) -> None:
    match node:
        case Call(name=name, arguments=arguments, at=at):
            kinds_of(function(name, at), name, len(arguments), at)
        case Cast(type=kind, at=at):
            casts.parse_type(kind, at)
        case Literal(kind=kind, value=value, at=at) if kind not in ("", "side", "star"):
            casts.time_literal(str(value), kind, at)
        case _:
            pass
