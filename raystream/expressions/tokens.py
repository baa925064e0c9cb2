"""The words of an expression, each with its place."""

from __future__ import annotations

import re
from dataclasses import dataclass

from raystream.expressions.problem import Problem


@dataclass(frozen=True, slots=True)
class Token:
    """One word.

    Args:
        kind: `name`, `quoted` (a name in quotes), `text`, `number`, `operator`, `end`.
        text: As it counts: without quotes; operators as written.
        at: Number of its first character.
        end: Number of the character behind it.
    """

    kind: str
    text: str
    at: int
    end: int

    def word(self) -> str:
        """Lower case if it is a plain name or an operator, else empty: words of SQL are plain."""
        return self.text.lower() if self.kind in ("name", "operator") else ""


_TOKEN = re.compile(
    r"""
    (?P<number>(?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d+)?)
  | (?P<name>[^\W\d][\w$]*)
  | (?P<operator>->>|->|::|\|\||<>|!=|<=|>=|==|//|!~~|[-+*/%=<>().,\[\]:^&|~@?;!\#])
    """,
    re.VERBOSE,
)
_QUOTES = {"'": "text", '"': "quoted", "`": "quoted"}


def tokens(text: str) -> list[Token]:
    """All words of the text, and an `end` behind the last.

    Raises:
        Problem: a quote is not closed, or a character that no expression has.

    >>> [token.text for token in tokens("a >= 'it''s'")]
    ['a', '>=', "it's", '']
    """
    found: list[Token] = []
    at = 0
    while at < len(text):
        if text[at].isspace():
            at += 1
            continue
        token = _quoted(text, at) if text[at] in _QUOTES else _plain(text, at)
        found.append(token)
        at = token.end
    return [*found, Token("end", "", len(text), len(text))]


def _quoted(text: str, at: int) -> Token:
    quote = text[at]
    end = at + 1
    while True:
        end = text.find(quote, end)
        if end < 0:
            message = f"the quote {quote} is not closed"
            raise Problem(message, at)
        if text[end + 1 : end + 2] != quote:
            break
        end += 2
    inner = text[at + 1 : end].replace(quote * 2, quote)
    if not inner and quote != "'":
        message = "a name in quotes is empty"
        raise Problem(message, at)
    return Token(_QUOTES[quote], inner, at, end + 1)


def _plain(text: str, at: int) -> Token:
    if text.startswith(("--", "/*"), at):
        message = "comments have no place in an expression; two signs in a row need a space"
        raise Problem(message, at)
    found = _TOKEN.match(text, at)
    if found is None:
        message = f"{text[at]!r} means nothing here"
        raise Problem(message, at)
    token = Token(str(found.lastgroup), found[0], at, found.end())
    after = text[token.end : token.end + 1]
    if token.kind == "number" and (after.isalnum() or after == "_"):
        message = (
            f"{token.text + after!r} is neither a number nor a name; put the name in double quotes"
        )
        raise Problem(message, at)
    return token
