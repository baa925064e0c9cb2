"""JSON inside of text: what a path leads to. No column operation has this meaning: row by row."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

import msgspec
import polars as pl

from raystream.expressions.problem import Problem
from raystream.expressions.table import Arguments, Function
from raystream.expressions.values import INTEGER, TEXT, TRUTH, Typed

GROUP = "JSON text"
Step = str | int

_OBJECT = msgspec.json.Decoder(dict[str, msgspec.Raw])
_LIST = msgspec.json.Decoder(list[msgspec.Raw])
_WHOLE = msgspec.json.Decoder()
_STEP = re.compile(r'\.([^.\[\]"]+)|\."((?:[^"\\]|\\.)*)"|\[(-?\d+)\]|\[[\'"]([^\'"]*)[\'"]\]')


def path_of(part: Typed) -> tuple[Step, ...]:
    """The steps of a path: `$.a.b[0]`, a bare field, or a place in a list.

    Raises:
        Problem: it is not a path.
    """
    written = part.constant
    if isinstance(written, int) and not isinstance(written, bool):
        return (written,)
    text = str(written)
    if not text.startswith("$"):
        return (text,)
    found: list[Step] = []
    end = 1
    while end < len(text):
        step = _STEP.match(text, end)
        if step is None:
            message = f"{text!r} is not a path"
            raise Problem(message, part.at, "write one like $.user.tags[0]")
        plain, quoted, place, name = step.groups()
        found.append(int(place) if place is not None else plain or quoted or name or "")
        end = step.end()
    return tuple(found)


def raw_at(text: str, path: tuple[Step, ...]) -> bytes | None:
    """The JSON that a path leads to, as it stands in the text; None if there is none.

    Raises:
        msgspec.DecodeError: the text is not JSON.

    >>> raw_at('{"a": [1, 2.50]}', ("a", 1))
    b'2.50'
    """
    data = text.encode()
    _WHOLE.decode(data)
    for step in path:
        if isinstance(step, str):
            if not data.lstrip().startswith(b"{"):
                return None
            inner = _OBJECT.decode(data).get(step)
        else:
            if not data.lstrip().startswith(b"["):
                return None
            items = _LIST.decode(data)
            inner = items[step] if -len(items) <= step < len(items) else None
        if inner is None:
            return None
        data = bytes(inner)
    return data.strip()


def _query(raw: bytes) -> str:
    return msgspec.json.format(raw, indent=-1).decode()


def _text(raw: bytes) -> str | None:
    if raw == b"null":
        return None
    if raw.startswith(b'"'):
        return str(_WHOLE.decode(raw))
    return _query(raw)


def _scalar(raw: bytes) -> str | None:
    return None if raw[:1] in (b"{", b"[") else _text(raw)


def _nested(raw: bytes) -> str | None:
    return _query(raw) if raw[:1] in (b"{", b"[") else None


def _items(raw: bytes) -> int | None:
    return len(_LIST.decode(raw)) if raw.startswith(b"[") else None


def _reads(
    what: Callable[[bytes], Any], dtype: pl.DataType, missing: Any = None
) -> Callable[[Arguments], Typed]:
    def build(given: Arguments) -> Typed:
        if given[0].kind == "object":
            message = f"{given[0].name} is an object, not JSON text"
            raise Problem(message, given[0].at, f"write {given[0].name}.field")
        if given[0].kind not in ("string", "null"):
            message = f"{given.name} reads JSON text, not {given[0].kind}"
            raise Problem(message, given[0].at)
        if len(given) > 1 and given[1].constant is None:
            return given.gives(pl.lit(None, dtype), dtype)
        path = path_of(given[1]) if len(given) > 1 else ()
        text = given[0].value.cast(TEXT)

        def each(text: str | None) -> Any:
            if text is None:
                return None
            try:
                raw = raw_at(text, path)
            except (msgspec.DecodeError, RecursionError):
                return None
            return missing if raw is None else what(raw)

        value = _by_row(text, each, dtype)
        return given.gives(value, dtype, given.fault(~_is_json(text), "this is not JSON"))

    return build


def _by_row(text: pl.Expr, each: Callable[[str | None], Any], dtype: pl.DataType) -> pl.Expr:
    def all_of(series: pl.Series) -> pl.Series:
        return pl.Series(series.name, [each(text) for text in series], dtype)

    return text.map_batches(all_of, return_dtype=dtype, is_elementwise=True)


def _is_json(text: pl.Expr) -> pl.Expr:
    def valid(value: str | None) -> bool | None:
        if value is None:
            return None
        try:
            _WHOLE.decode(value)
        except (msgspec.DecodeError, RecursionError):
            return False
        return True

    return _by_row(text, valid, TRUTH)


def _valid(given: Arguments) -> Typed:
    return given.gives(_is_json(given[0].value), TRUTH)


FUNCTIONS = (
    Function(GROUP, "->", "any any!", "The JSON at field or place b, or at a path `'$.a.b[0]'`, as JSON text; null if there is none. What is not JSON is an error.", _reads(_query, TEXT), shown="a -> b", also=("json_extract",), differs="Of a name that comes twice the last counts, there the first; numbers stay as they are written (`1e5`), and `$[#-1]` is refused: write `$[-1]`."),
    Function(GROUP, "->>", "any any!", "The same as text: without quotes, and null of a JSON null.", _reads(_text, TEXT), shown="a ->> b", also=("json_extract_string",)),
    Function(GROUP, "json_value", "any any!", "The text, number or truth at a path, as text; null of an object or a list.", _reads(_scalar, TEXT), differs="A text keeps its quotes there."),
    Function(GROUP, "json_query", "any any!", "The object or list at a path, as JSON text; null of anything else.", _reads(_nested, TEXT), differs="Is not there."),
    Function(GROUP, "json_exists", "any any!", "Whether there is something at a path, be it a JSON null.", _reads(lambda raw: True, TRUTH, missing=False)),
    Function(GROUP, "json_array_length", "any any!?", "Number of items of the list (at a path); null if it is not a list.", _reads(_items, INTEGER), differs="0 if it is not a list."),
    Function(GROUP, "json_valid", "text", "Whether the text is JSON.", _valid),
)  # fmt: skip
