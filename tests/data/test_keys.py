"""The one form of a key, whatever is inside it."""

from __future__ import annotations

import math
from typing import Any

import polars as pl
from hypothesis import given, reject, settings
from hypothesis import strategies as st

from raystream.data.hashing import owners
from raystream.data.keys import canonical, canonical_type, is_canonical

LEAVES: dict[str, tuple[pl.DataType, list[Any]]] = {
    "f64": (pl.Float64(), [0.0, -0.0, math.nan, 1.5, None]),
    "f32": (pl.Float32(), [0.0, -0.0, None]),
    "int": (pl.Int64(), [0, 1, None]),
    "text": (pl.String(), ["a", "é", None]),
    "enum": (pl.Enum(["a", "b"]), ["a", "b", None]),
    "words": (pl.Categorical(), ["a", "b", None]),
}

SHAPES = st.recursive(
    st.sampled_from(list(LEAVES)),
    lambda inner: st.one_of(
        st.tuples(st.just("list"), inner),
        st.tuples(st.just("array"), st.sampled_from(["f64", "f32", "int", "text"])),
        st.tuples(st.just("struct"), inner, inner),
    ),
    max_leaves=4,
)


def dtype_of(shape: Any) -> pl.DataType:
    match shape:
        case ("list", inner):
            return pl.List(dtype_of(inner))
        case ("array", inner):
            return pl.Array(dtype_of(inner), 2)
        case ("struct", one, other):
            return pl.Struct({"a": dtype_of(one), "b": dtype_of(other)})
        case _:
            return LEAVES[shape][0]


def values_of(shape: Any) -> st.SearchStrategy[Any]:
    match shape:
        case ("list", inner):
            return st.none() | st.lists(values_of(inner), max_size=2)
        case ("array", inner):
            return st.none() | st.lists(values_of(inner), min_size=2, max_size=2)
        case ("struct", one, other):
            fields = {"a": values_of(one), "b": values_of(other)}
            return st.none() | st.fixed_dictionaries(fields)
        case _:
            return st.sampled_from(LEAVES[shape][1])


def same(value: Any, *, signed: bool) -> Any:
    """What makes two keys one: NaN is NaN and, unless its sign counts, -0.0 is 0.0."""
    if isinstance(value, float):
        zero = value if signed else value + 0.0
        return "nan" if math.isnan(value) else (math.copysign(1, zero), zero)
    if isinstance(value, dict):
        return tuple((name, same(item, signed=signed)) for name, item in value.items())
    return tuple(same(v, signed=signed) for v in value) if isinstance(value, list) else value


@settings(max_examples=80, deadline=None)
@given(st.data())
def test_equal_keys_are_the_same_bytes_and_have_one_owner(data: st.DataObject) -> None:
    shape = data.draw(SHAPES)
    values = data.draw(st.lists(values_of(shape), max_size=6))
    try:
        frame = pl.DataFrame({"k": pl.Series(values, dtype=dtype_of(shape))})
    except pl.exceptions.PanicException:
        reject()  # Polars cannot make categories in objects in arrays from Python
    made = canonical(frame, ["k"])
    assert made.schema["k"] == canonical_type(dtype_of(shape))
    assert not is_canonical(dtype_of(shape)) or made.equals(frame)
    before = [same(value, signed=False) for value in frame["k"].to_list()]
    assert [same(value, signed=True) for value in made["k"].to_list()] == before
    found: dict[Any, int] = {}
    for key, owner in zip(before, owners(made, ["k"], 4).to_list(), strict=True):
        assert found.setdefault(key, owner) == owner
    assert made.group_by("k").len().height == len(found)
