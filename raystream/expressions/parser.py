"""Text to tree: SQL's expressions by precedence climbing, every error at its character.

Written by hand: the kept parsers cost more than all of `raystream validate` may take (sqlglot 0.25 s
at import, compiled too, against 0.002 s here), and read whole statements where only one value is
wanted.
"""

from __future__ import annotations

import functools
from decimal import Decimal

from raystream.expressions.problem import Problem, bad
from raystream.expressions.tokens import Token, tokens
from raystream.expressions.tree import Call, Case, Cast, Column, Field, Literal, Node

DEEPEST = 100
"""Brackets within brackets; more is not text that people write."""

LONGEST = 5000
"""Words of an expression."""

OR, AND, NOT, COMPARISON, OTHER, SUM, PRODUCT, SIGN, POSTFIX = range(1, 10)

_BINARY = {
    "or": OR,
    "and": AND,
    **dict.fromkeys(("=", "==", "<>", "!=", "<", "<=", ">", ">="), COMPARISON),
    **dict.fromkeys(("||", "->", "->>"), OTHER),
    **dict.fromkeys(("+", "-"), SUM),
    **dict.fromkeys(("*", "/", "//", "%"), PRODUCT),
}
_SAME = {"==": "=", "!=": "<>"}
_PREDICATES = ("is", "in", "like", "ilike", "between", "not", "rlike", "similar")
_TYPED = ("date", "timestamp", "timestamptz", "time", "interval")
RESERVED = frozenset(
    "and or not in is like ilike between case when then else end as from for select where over "
    "distinct union having group order limit escape using".split()
)
_INSTEAD = {
    "^": "power(a, b)",
    "&": "bit_and(a, b)",
    "|": "bit_or(a, b)",
    "~": "regexp_like(text, pattern)",
    "!~~": "not like",
    "#": "bit_xor(a, b)",
}


@functools.lru_cache(maxsize=1024)
def parse(text: str) -> Node:
    """The tree of an expression.

    Args:
        text: One value, `price * qty >= 100 and ip like '10.%'`.

    Raises:
        BadExpression: it cannot be read; says at which character.

    >>> parse("a + 1")
    Call(name='+', arguments=(Column(name='a', at=0), Literal(value=1, at=4, kind='')), at=2)
    """
    try:
        return _Parser(tokens(text)).whole()
    except Problem as problem:
        raise bad(text, problem) from None


class _Parser:
    def __init__(self, words: list[Token]) -> None:
        self._words = words
        self._number = 0
        self._depth = 0

    def whole(self) -> Node:
        """Everything, to the end."""
        if len(self._words) > LONGEST:
            message = f"more than {LONGEST} words"
            raise Problem(message, self._words[LONGEST].at, "compute parts with with_columns first")
        if self._here.kind == "end":
            message = "there is no expression"
            raise Problem(message, 0, "for example status >= 400")
        node = self._expression(0)
        if self._here.kind != "end":
            raise self._unexpected()
        return node

    @property
    def _here(self) -> Token:
        return self._words[self._number]

    def _ahead(self, by: int = 1) -> Token:
        return self._words[min(self._number + by, len(self._words) - 1)]

    def _take(self) -> Token:
        token = self._here
        if token.kind != "end":
            self._number += 1
        return token

    def _is(self, *words: str) -> bool:
        """Whether these words come next."""
        return all(self._ahead(n).word() == word for n, word in enumerate(words))

    def _skip(self, *words: str) -> bool:
        if not self._is(*words):
            return False
        self._number += len(words)
        return True

    def _need(self, word: str, opened: Token | None = None) -> Token:
        if self._here.word() == word:
            return self._take()
        if self._here.kind == "end" and opened is not None:
            message = "a bracket is not closed"
            raise Problem(message, opened.at)
        raise self._unexpected(f"{word.upper() if word.isalpha() else word} is expected")

    def _unexpected(self, wanted: str = "") -> Problem:
        token = self._here
        if token.kind == "end":
            return Problem("something is missing at the end", token.at, wanted)
        if token.text in _INSTEAD:
            return Problem(
                f"{token.text} is not an operator here", token.at, f"write {_INSTEAD[token.text]}"
            )
        if token.word() == "over":
            message = "OVER looks beyond its row: an expression sees one row at a time"
            return Problem(message, token.at, "aggregate with a window")
        if token.word() in ("filter", "within"):
            message = f"{token.text.upper()} belongs to an aggregate"
            return Problem(message, token.at, "for example sum(price where status = 200)")
        return Problem(f"{token.text!r} is not expected here", token.at, wanted)

    # -- operators -----------------------------------------------------------------------------

    def _expression(self, least: int) -> Node:
        self._depth += 1
        if self._depth > DEEPEST:
            message = f"more than {DEEPEST} expressions within each other"
            raise Problem(message, self._here.at, "compute parts with with_columns first")
        left = self._prefix()
        while True:
            word = self._here.word()
            power = COMPARISON if word in _PREDICATES else _BINARY.get(word, 0)
            if power <= least or (word == "not" and not self._negates()):
                break
            left = self._predicate(left) if word in _PREDICATES else self._binary(left, power)
        self._depth -= 1
        return left

    def _negates(self) -> bool:
        return self._ahead().word() in ("in", "like", "ilike", "between", "rlike", "similar")

    def _binary(self, left: Node, power: int) -> Node:
        token = self._take()
        if self._here.kind == "operator" and self._here.text not in ("(", "-", "+", "["):
            if self._here.text in ("*", "/", "%", "=", "<", ">", "<=", ">=", "<>", "//", "||"):
                message = f"two operators in a row: {token.text} {self._here.text}"
                raise Problem(message, self._here.at)
        right = self._expression(power)
        if (
            power == COMPARISON
            and self._here.word() in _BINARY
            and _BINARY[self._here.word()] == power
        ):
            message = "comparisons cannot be chained"
            raise Problem(message, self._here.at, "write a < b and b < c")
        name = _SAME.get(token.word(), token.word())
        if name in ("and", "or") and isinstance(left, Call) and left.name == name:
            return Call(name, (*left.arguments, right), left.at)
        return Call(name, (left, right), token.at)

    def _prefix(self) -> Node:
        token = self._here
        if token.word() == "not":
            self._take()
            return Call("not", (self._expression(NOT),), token.at)
        if token.word() in ("-", "+"):
            self._take()
            inner = self._expression(SIGN)
            if token.text == "+":
                return Call("positive", (inner,), token.at)
            if isinstance(inner, Literal) and isinstance(inner.value, int | float | Decimal):
                if not isinstance(inner.value, bool):
                    return Literal(-inner.value, token.at)
            return Call("negative", (inner,), token.at)
        return self._postfix(self._primary())

    def _predicate(self, left: Node) -> Node:
        at = self._here.at
        if self._skip("is"):
            return self._is_something(left, at)
        negated = self._skip("not")
        word = self._take().word()
        if word == "in":
            made = self._in(left, at)
        elif word == "between":
            made = self._between(left, at)
        elif word in ("like", "ilike"):
            made = self._like(left, word, at)
        else:
            message = f"{word.upper()} is not known"
            raise Problem(message, at, "write regexp_like(text, pattern)")
        return Call("not", (made,), at) if negated else made

    def _is_something(self, left: Node, at: int) -> Node:
        negated = self._skip("not")
        if self._skip("distinct", "from"):
            right = self._expression(COMPARISON)
            name = "is not distinct from" if negated else "is distinct from"
            return Call(name, (left, right), at)
        for word in ("null", "true", "false", "unknown"):
            if self._skip(word):
                name = "is null" if word == "unknown" else f"is {word}"
                made = Call(name, (left,), at)
                return Call("not", (made,), at) if negated else made
        raise self._unexpected("write is null, is true, is false or is distinct from")

    def _in(self, left: Node, at: int) -> Node:
        opened = self._need("(")
        self._no_query()
        options = [self._expression(0)]
        while self._skip(","):
            options.append(self._expression(0))
        self._need(")", opened)
        return Call("in", (left, *options), at)

    def _between(self, left: Node, at: int) -> Node:
        symmetric = self._skip("symmetric")
        low = self._expression(COMPARISON)
        self._need("and")
        high = self._expression(COMPARISON)
        one = Call("between", (left, low, high), at)
        return Call("or", (one, Call("between", (left, high, low), at)), at) if symmetric else one

    def _like(self, left: Node, word: str, at: int) -> Node:
        pattern = self._expression(COMPARISON)
        if self._skip("escape"):
            return Call(word, (left, pattern, self._expression(COMPARISON)), at)
        return Call(word, (left, pattern), at)

    # -- values --------------------------------------------------------------------------------

    def _postfix(self, node: Node) -> Node:
        while True:
            token = self._here
            if self._skip("."):
                node = Field(node, self._name(), token.at)
            elif self._skip("["):
                index = self._expression(0)
                self._need("]", token)
                node = Call("[]", (node, index), token.at)
            elif self._skip("::"):
                node = Cast(node, self._type(), token.at)
            elif self._skip("at", "time", "zone"):
                node = Call("at time zone", (node, self._primary()), token.at)
            else:
                return node

    def _name(self) -> str:
        if self._here.kind not in ("name", "quoted"):
            raise self._unexpected("a name is expected behind the dot")
        return self._take().text

    def _primary(self) -> Node:
        token = self._here
        match token.kind:
            case "number":
                return _number(self._take())
            case "text":
                return Literal(self._take().text, token.at)
            case "quoted":
                return Column(self._take().text, token.at)
            case "name":
                return self._word(token)
        if not self._skip("("):
            raise self._unexpected("a value is expected")
        self._no_query()
        inner = self._expression(0)
        if self._here.word() == ",":
            message = "several values in brackets are no value"
            raise Problem(message, token.at)
        self._need(")", token)
        return inner

    def _no_query(self) -> None:
        if self._here.word() in ("select", "with", "values", "table") and (
            self._ahead().kind != "operator"
        ):
            message = "a subquery looks beyond its row: an expression sees one row at a time"
            raise Problem(message, self._here.at, "join or aggregate in a step of its own")

    def _word(self, token: Token) -> Node:
        word, after = token.word(), self._ahead()
        if word in ("true", "false", "null"):
            self._take()
            return Literal({"true": True, "false": False, "null": None}[word], token.at)
        if word == "case":
            return self._case()
        if word in _TYPED and after.kind in (
            ("text", "number") if word == "interval" else ("text",)
        ):
            return self._typed()
        if after.word() == "(":
            return self._function()
        if word in RESERVED:
            self._no_query()
            raise self._unexpected("a column of this name needs double quotes")
        return Column(self._take().text, token.at)

    def _typed(self) -> Node:
        at = self._here.at
        word = self._take().word()
        value = self._take().text
        if word == "interval" and self._here.kind == "name":
            if self._here.word() not in (*RESERVED, "at"):
                value = f"{value} {self._take().text}"
        return Literal(value, at, word)

    def _case(self) -> Node:
        opened = self._take()
        subject = None if self._is("when") else self._expression(0)
        branches: list[tuple[Node, Node]] = []
        while self._is("when"):
            at = self._take().at
            condition = self._expression(0)
            if subject is not None:
                condition = Call("=", (subject, condition), at)
            self._need("then")
            branches.append((condition, self._expression(0)))
        if not branches:
            raise self._unexpected("WHEN is expected")
        otherwise = self._expression(0) if self._skip("else") else None
        self._need("end")
        return Case(tuple(branches), otherwise, opened.at)

    # -- functions -----------------------------------------------------------------------------

    def _function(self) -> Node:
        token, opened = self._take(), self._take()
        name = token.word()
        if name in ("cast", "try_cast"):
            return self._cast(token, opened)
        if name == "exists":
            message = "a subquery looks beyond its row: an expression sees one row at a time"
            raise Problem(message, token.at)
        if self._here.word() == "distinct":
            message = "DISTINCT looks beyond its row"
            raise Problem(message, self._here.at)
        arguments = self._special(name)
        if arguments is None:
            arguments = self._arguments()
        self._need(")", opened)
        if self._here.word() in ("over", "filter", "within", "ignore", "respect"):
            raise self._unexpected()
        return Call(name, tuple(arguments), token.at)

    def _arguments(self) -> list[Node]:
        if self._here.word() == ")":
            return []
        if self._here.word() == "*" and self._ahead().word() == ")":
            return [Literal("*", self._take().at, "star")]
        self._no_query()
        found = [self._expression(0)]
        while self._skip(","):
            found.append(self._expression(0))
        return found

    def _special(self, name: str) -> list[Node] | None:
        """SQL's own forms: `extract(year from at)`, `substring(s from 2 for 3)`, .."""
        at = self._here
        if name == "extract" and self._ahead().word() == "from":
            part = self._take()
            self._take()
            return [Literal(part.text.lower(), part.at), self._expression(0)]
        if name == "trim" and at.word() in ("both", "leading", "trailing"):
            if self._ahead().kind in ("text", "name", "quoted"):
                return self._trim()
        if name in ("position", "substring", "trim", "overlay"):
            first = self._expression(COMPARISON)
            if name == "position" and self._skip("in"):
                return [self._expression(0), first]
            if name == "trim" and self._skip("from"):
                return [self._expression(0), first]
            if name == "substring" and self._skip("from"):
                start = self._expression(0)
                return [first, start, self._expression(0)] if self._skip("for") else [first, start]
            found = [first]
            while self._skip(","):
                found.append(self._expression(0))
            return found
        return None

    def _trim(self) -> list[Node]:
        side = self._take()
        characters = None if self._is("from") else self._expression(0)
        self._need("from")
        text = self._expression(0)
        which = Literal(side.word(), side.at, "side")
        return [text, Literal(" ", side.at) if characters is None else characters, which]

    def _cast(self, token: Token, opened: Token) -> Node:
        inner = self._expression(0)
        self._need("as")
        kind = self._type()
        self._need(")", opened)
        return Cast(inner, kind, token.at, token.word() == "try_cast")

    def _type(self) -> str:
        """The words of a type, as one text: `decimal(18,2)`, `timestamp with time zone`."""
        if self._here.kind != "name":
            raise self._unexpected("a type is expected, for instance bigint")
        words = self._take().text.lower()
        if words == "double" and self._skip("precision"):
            return words
        if self._is("("):
            opened = self._take()
            sizes = [self._size()]
            while self._skip(","):
                sizes.append(self._size())
            self._need(")", opened)
            words += f"({','.join(sizes)})"
        for zone in ("with", "without"):
            if self._is(zone, "time", "zone") or self._is(zone, "local", "time", "zone"):
                self._skip(zone)
                self._skip("local")
                self._skip("time", "zone")
                words += f" {zone} time zone"
        return words

    def _size(self) -> str:
        if self._here.kind != "number" or not self._here.text.isdigit():
            raise self._unexpected("a whole number is expected")
        return self._take().text


def _number(token: Token) -> Literal:
    if token.text.isdigit():
        return Literal(int(token.text), token.at)
    return Literal(Decimal(token.text), token.at)
