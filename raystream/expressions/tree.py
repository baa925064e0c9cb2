"""An expression as text was read: a small tree, each node with its place in the text."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from decimal import Decimal

LiteralValue = None | bool | int | float | Decimal | str


@dataclass(frozen=True, slots=True)
class Literal:
    """A value that is written out.

    Args:
        value: int, Decimal (`2.0`), float (`1e-8`), text, a truth, or None for NULL.
        at: Number of its first character in the text, from 0; of every node.
        kind: Empty, or the word before the text: `date`, `timestamp`, `interval`, ..
    """

    value: LiteralValue
    at: int
    kind: str = ""


@dataclass(frozen=True, slots=True)
class Column:
    """A column by its name."""

    name: str
    at: int


@dataclass(frozen=True, slots=True)
class Field:
    """A field of an object: `user.id`."""

    of: Node
    name: str
    at: int


@dataclass(frozen=True, slots=True)
class Call:
    """A function or an operator (`+`, `and`, `is null`, `in`) of its arguments."""

    name: str
    arguments: tuple[Node, ...]
    at: int


@dataclass(frozen=True, slots=True)
class Cast:
    """`CAST(of AS type)`, `of::type`; `safe` is TRY_CAST: null instead of an error."""

    of: Node
    type: str
    at: int
    safe: bool = False


@dataclass(frozen=True, slots=True)
class Case:
    """`CASE WHEN condition THEN value .. ELSE otherwise END`."""

    branches: tuple[tuple[Node, Node], ...]
    otherwise: Node | None
    at: int


Node = Literal | Column | Field | Call | Cast | Case


def children(node: Node) -> tuple[Node, ...]:
    """The nodes below."""
    match node:
        case Field(of=of) | Cast(of=of):
            return (of,)
        case Call(arguments=arguments):
            return arguments
        case Case(branches=branches, otherwise=otherwise):
            flat = tuple(part for branch in branches for part in branch)
            return flat if otherwise is None else (*flat, otherwise)
        case _:
            return ()


def walk(node: Node) -> Iterator[Node]:
    """The node and all below it."""
    yield node
    for child in children(node):
        yield from walk(child)


def dotted(node: Node) -> str | None:
    """`a.b.c` if the node is a path of names."""
    match node:
        case Column(name=name):
            return name
        case Field(of=of, name=name):
            base = dotted(of)
            return None if base is None else f"{base}.{name}"
        case _:
            return None


def columns_of(node: Node, known: frozenset[str] = frozenset()) -> frozenset[str]:
    """Columns that the expression reads.

    Args:
        node: The tree.
        known: Columns that exist: a path that is exactly the name of one is that column.
    """
    path = dotted(node)
    if path is not None:
        return frozenset([path if path in known else _first(node)])
    return frozenset().union(*(columns_of(child, known) for child in children(node)))


def _first(node: Node) -> str:
    while isinstance(node, Field):
        node = node.of
    assert isinstance(node, Column)
    return node.name
