"""Whether two definitions are the same: steps of a re-run cell, submitted jobs."""

from __future__ import annotations

import types
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import fields, is_dataclass
from enum import Enum
from functools import partial
from hashlib import blake2b
from typing import Any

LONG = 1000
"""Only the ends of longer lists are compared: rows in memory may be millions."""

DEEP = 12
"""Values are not followed deeper than this; options are never nested so deep."""

_PLAIN = (str, bytes, int, float, bool, type(None), Enum)


def fingerprint(*values: Any) -> str:
    """Same text for values that mean the same; where they were written is ignored.

    Functions are the same if their code is, together with their closures and, for functions of a
    notebook or script, the functions and plain values they refer to.

    >>> fingerprint(lambda row: row["a"]) == fingerprint(lambda row: row["a"])
    True
    >>> fingerprint(lambda row: row["a"]) == fingerprint(lambda row: row["b"])
    False
    """
    digest = blake2b(digest_size=12)
    for part in _parts(list(values), DEEP, set()):
        digest.update(part.encode("utf-8", "replace") + b"\0")
    return digest.hexdigest()


def _parts(value: Any, depth: int, above: set[int]) -> Iterator[str]:
    if isinstance(value, _PLAIN):
        yield repr(value)
        return
    yield type(value).__name__
    if depth == 0 or id(value) in above:
        return
    for inner in _inside(value):
        yield from _parts(inner, depth - 1, above | {id(value)})


def _inside(value: Any) -> Iterator[Any]:
    """The parts of a value."""
    if isinstance(value, types.FunctionType):
        yield from _function(value)
    elif isinstance(value, types.CodeType):
        yield from (value.co_code, value.co_names, value.co_consts, value.co_freevars)
    elif isinstance(value, partial):
        yield from (value.func, value.args, value.keywords)
    elif isinstance(value, types.MethodType):
        yield from (value.__func__, value.__self__)
    elif isinstance(value, type | types.BuiltinFunctionType):
        yield f"{value.__module__}.{value.__qualname__}"
    elif isinstance(value, Mapping):
        for key, each in value.items():
            yield from (key, each)
    elif isinstance(value, set | frozenset):
        yield sorted(map(repr, value))
    elif isinstance(value, Sequence):
        yield len(value)
        yield from value if len(value) <= LONG else (*value[: LONG // 2], *value[-LONG // 2 :])
    elif is_dataclass(value):
        yield from (getattr(value, field.name) for field in fields(value))
    elif type(value).__module__.startswith("polars"):
        yield str(value)
    else:
        yield f"{type(value).__module__}.{type(value).__qualname__}"
        yield getattr(value, "__dict__", {})


def _function(function: types.FunctionType) -> Iterator[Any]:
    yield from (function.__code__, function.__defaults__, function.__kwdefaults__)
    for cell in function.__closure__ or ():
        try:
            yield cell.cell_contents
        except ValueError:  # it closes over a name that has no value yet
            yield None
    if function.__module__ == "__main__":
        named = (function.__globals__.get(name) for name in function.__code__.co_names)
        yield from (v for v in named if isinstance(v, (types.FunctionType, *_PLAIN)))
