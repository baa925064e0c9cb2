"""Pieces of HTML, readable on light and dark backgrounds: no script, no style sheet, escaped."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from html import escape

GOOD, FAIR, BAD, CALM, FAINT = "#2f9e62", "#c77d0a", "#d9484c", "#3b82d6", "#7a808a"
"""Colours with contrast against white and against near-black."""

_TABLE = "border-collapse:collapse;margin:2px 0;background:transparent;font-size:12px"
_CELL = "padding:1px 10px 1px 0;text-align:left;vertical-align:top;border:0;background:transparent"


def text(value: object, style: str = "") -> str:
    """A value as escaped text.

    >>> text("<b>", "color:red")
    '<span style="color:red">&lt;b&gt;</span>'
    """
    escaped = escape(str(value), quote=True)
    return f'<span style="{style}">{escaped}</span>' if style else escaped


def faint(value: object) -> str:
    """Text of minor interest."""
    return text(value, f"color:{FAINT}")


def code(value: object) -> str:
    """Machine-written text: a row, an address, a name."""
    return text(value, "font-family:ui-monospace,Menlo,Consolas,monospace;word-break:break-all")


def section(question: str, parts: Iterable[str]) -> str:
    """A question and its answer; the pieces are HTML already."""
    head = f"margin-top:8px;font-weight:600;color:{FAINT};font-size:11px"
    body = "".join(f"<div>{part}</div>" for part in parts if part)
    return f'<div style="{head}">{text(question)}</div>{body}' if body else ""


def table(heads: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """A table; heads are text, cells are HTML already; empty if there are no rows."""
    body = "".join(_row("td", row) for row in rows)
    if not body:
        return ""
    top = _row("th", [faint(head) for head in heads])
    return f'<table style="{_TABLE}">{top}{body}</table>'


def _row(kind: str, cells: Sequence[str]) -> str:
    inside = "".join(
        f'<{kind} style="{_CELL};font-weight:normal">{cell}</{kind}>' for cell in cells
    )
    return f'<tr style="background:transparent">{inside}</tr>'  # JupyterLab stripes rows


def bar(shares: Sequence[tuple[float, str, str]], width: int = 120) -> str:
    """A horizontal bar of (share of 0..1, colour, what it means)."""
    parts = "".join(
        f'<span title="{text(name)}" style="display:inline-block;height:9px;'
        f'width:{max(0.0, min(1.0, share)) * width:.0f}px;background:{colour}"></span>'
        for share, colour, name in shares
    )
    frame = (
        f"display:inline-block;width:{width}px;height:9px;overflow:hidden;white-space:nowrap;"
        "background:rgba(128,128,128,.25);border-radius:2px;line-height:0;vertical-align:middle"
    )
    return f'<span style="{frame}">{parts}</span>'


def columns(heights: Sequence[tuple[float, str, str]], height: int = 26) -> str:
    """Thin columns side by side: (share of 0..1, colour, what it means)."""
    parts = "".join(
        f'<span title="{text(name)}" style="display:inline-block;width:6px;margin-right:2px;'
        f"vertical-align:bottom;height:{max(2.0, min(1.0, share) * height):.0f}px;"
        f'background:{colour}"></span>'
        for share, colour, name in heights
    )
    frame = f"display:inline-block;height:{height}px;line-height:{height}px"
    return f'<span style="{frame}">{parts}</span>'


def dot(colour: str) -> str:
    """A filled circle."""
    return f'<span style="color:{colour}">&#9679;</span>'
