"""Objects and lists: fields by name, items by place."""

from __future__ import annotations

import polars as pl

from raystream.expressions.problem import Problem
from raystream.expressions.table import Arguments, Function
from raystream.expressions.values import INTEGER, TEXT, TRUTH, Typed, as_integer, made, together
from raystream.graph.nearest import did_you_mean

GROUP = "Objects and lists"
FURTHEST = 2**31


def field(of: Typed, name: str, at: int) -> Typed:
    """A field of an object; null where the object is null.

    Raises:
        Problem: it is not an object, or has no such field.
    """
    if not isinstance(of.dtype, pl.Struct):
        message = f"{of.name or 'the value'} is {of.kind}, not an object: it has no field {name!r}"
        raise Problem(
            message, at, "JSON text is read with ->> 'field'" if of.kind == "string" else ""
        )
    fields = {each.name: each.dtype for each in of.dtype.fields}
    if name not in fields:
        message = f"{of.name or 'the object'} has no field {name!r}"
        raise Problem(message, at, did_you_mean(name, fields))
    dtype = fields[name]
    found = dtype() if isinstance(dtype, type) else dtype
    return made(of.value.struct.field(name), found, [of], at)


def _item(given: Arguments) -> Typed:
    """From 0; negative from the end; null if there is none."""
    of, index = given.parts
    if of.kind == "object" and isinstance(index.constant, str):
        return field(of, index.constant, given.at)
    if not isinstance(of.dtype, pl.List | pl.Array):
        message = f"{of.name or 'the value'} is {of.kind}, not a list"
        raise Problem(message, given.at)
    if index.kind not in ("integer", "null"):
        message = f"the place in a list is a whole number, not {index.kind}"
        raise Problem(message, index.at)
    number = pl.lit(None, INTEGER) if index.kind == "null" else as_integer(index).value
    bounded = number.clip(-FURTHEST, FURTHEST)
    values = of.value if isinstance(of.dtype, pl.List) else of.value.arr.to_list()
    value = values.list.get(bounded, null_on_oob=True)
    inner = of.dtype.inner
    return given.gives(value, inner() if isinstance(inner, type) else inner)


def _list(given: Arguments) -> pl.Expr:
    of = given[0]
    return of.value if isinstance(of.dtype, pl.List) else of.value.arr.to_list()


def _length(given: Arguments) -> Typed:
    return given.gives(_list(given).list.len().cast(INTEGER), INTEGER)


def _contains(given: Arguments) -> Typed:
    of, wanted = given.parts
    assert isinstance(of.dtype, pl.List | pl.Array)
    inner = of.dtype.inner() if isinstance(of.dtype.inner, type) else of.dtype.inner
    from raystream.expressions.casts import of_text

    sample = Typed(pl.lit(None, inner), inner, of.at)
    _, item = together([sample, wanted], given.at, of_text)
    if item.dtype != inner:
        message = f"the list holds values of type {sample.kind}, not {wanted.kind}"
        raise Problem(message, wanted.at, "cast the value")
    known = of.value.is_not_null() & item.value.is_not_null()
    found = _list(given).list.contains(item.value)
    return made(pl.when(known).then(found), TRUTH, [of, item], given.at)


def _split(given: Arguments) -> Typed:
    text, by = given.values()
    pieces = pl.concat_str([text, pl.lit("")]).str.split(by)
    return given.gives(pieces, pl.List(TEXT))


def _join(given: Arguments) -> Typed:
    of = given[0]
    if of.dtype != pl.List(TEXT):
        message = f"{given.name} joins a list of text"
        raise Problem(message, of.at)
    joined = of.value.list.join(given[1].value, ignore_nulls=True)
    known = of.value.is_not_null() & given[1].value.is_not_null()
    return given.gives(pl.when(known).then(joined), TEXT)


FUNCTIONS = (
    Function(GROUP, "[]", "any any", "Item b of a list, from 0; `-1` is the last; null if there is none. A field of an object by text: `user['id']`.", _item, shown="a[b]", differs="Items count from 1 there."),
    Function(GROUP, "cardinality", "list", "Number of items, nulls among them.", _length, also=("array_length", "list_length")),
    Function(GROUP, "array_contains", "list any", "Whether b is an item of the list.", _contains, also=("list_contains",)),
    Function(GROUP, "array_to_string", "list text", "The texts of a list, with b between them; nulls do not count.", _join, also=("array_join",)),
    Function(GROUP, "split", "text text", "The list of the parts of a between the separators b.", _split, also=("string_split", "str_split"), differs="Nothing is divided by null."),
)  # fmt: skip
