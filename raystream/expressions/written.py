"""A tree as text, for messages about rows: `price * qty`."""

from __future__ import annotations

from raystream.expressions.tree import Call, Case, Cast, Column, Field, Literal, Node


def written(node: Node) -> str:
    """The expression in few words, not longer than a line.

    >>> from raystream.expressions.parser import parse
    >>> written(parse("a+ b*2")), written(parse("upper(x)::int"))
    ('a + b * 2', 'CAST(upper(x) AS int)')
    """
    text = _text(node)
    return text if len(text) <= 80 else f"{text[:77]}..."


def _text(node: Node) -> str:
    match node:
        case Literal(value=value, kind=kind):
            return f"{kind} '{value}'" if kind else _literal(value)
        case Column(name=name):
            return name
        case Field(of=of, name=name):
            return f"{_text(of)}.{name}"
        case Cast(of=of, type=kind, safe=safe):
            return f"{'TRY_CAST' if safe else 'CAST'}({_text(of)} AS {kind})"
        case Case():
            return "CASE .. END"
        case Call():
            return _call(node)


def _literal(value: object) -> str:
    if isinstance(value, str):
        return "'" + value.replace("'", "''") + "'"
    if isinstance(value, bool):
        return str(value).lower()
    return "NULL" if value is None else str(value)


def _call(node: Call) -> str:
    parts = [_text(part) for part in node.arguments]
    if node.name == "[]":
        return f"{parts[0]}[{parts[1]}]"
    if node.name == "negative":
        return f"-{parts[0]}"
    if node.name.isidentifier() and node.name not in ("and", "or", "not", "in", "like", "ilike"):
        return f"{node.name}({', '.join(parts)})"
    if len(parts) == 1:
        return f"not {parts[0]}" if node.name == "not" else f"{parts[0]} {node.name}"
    return f" {node.name} ".join(
        f"({p})" if isinstance(n, Call) and n.name in _LOOSER.get(node.name, ()) else p
        for p, n in zip(parts, node.arguments, strict=True)
    )


_LOOSER = {
    **dict.fromkeys(("*", "/", "//", "%"), ("+", "-", "or", "and")),
    "-": ("+", "-"),
    "and": ("or",),
}
