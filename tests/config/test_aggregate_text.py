"""`sum(price where ..)` and its other ways to be written."""

from __future__ import annotations

import re

import pytest

import raystream as rs
from raystream.config.aggregate_text import NoAggregate, parse_aggregate
from raystream.config.to_python import _aggregate


@pytest.mark.parametrize(
    "text",
    [
        "sum(x where a > (1))",
        "sum(x) where a > (1)",
        "SUM(x)FILTER(WHERE a > (1))",
        "sum(x) filter ( where a > (1) )",
    ],
)
def test_a_condition_is_within_or_behind_the_brackets(text: str) -> None:
    found = parse_aggregate(text)
    assert (str(found.kind), found.value and found.value.text) == ("sum", "x")
    assert found.where is not None
    assert found.where.text == "a > (1)"
    assert text[found.where.offset :].startswith("a > (1)")


@pytest.mark.parametrize(
    ("text", "message", "offset"),
    [
        ("sum(x where a) where b", "join both with and", 21),
        ("sum(x) where", "where needs a condition", 12),
        ("sum(x) filter (where )", "where needs a condition", 21),
        ("sum(x) filter (where a", "a bracket is not closed", 14),
        ("sum(x) filter (where a) + 1", "'+ 1' behind the aggregate", 23),
        ("sum(x) + 1", "'+ 1' behind the aggregate", 7),
        ("sum(x) wherever", "'wherever' behind the aggregate", 7),
        ("sum(a, b)", "sum takes one value; write sum(column)", 4),
        ("arg_max()", "arg_max needs what decides; write arg_max(price, shop)", 8),
        ("collect(x)", "collect needs a value and a number; write collect(column, 100)", 8),
        ("top_k(x, y)", "'y' is not a whole number; write top_k(column, 3)", 9),
        ("collect(x, limit=0)", "collect: limit is 0, not 1 or more", 11),
        ("quantile(x)", "quantile needs a value and a number; write quantile(column, 0.95)", 9),
        ("quantile(x, 95)", "quantile: q is 95, not from 0 to 1", 12),
        ("quantile(x, k=1)", "'k=1' is not a number; write quantile(column, 0.95)", 12),
        ("median()", "median needs a value; write median(column)", 7),
        ("median(a, b)", "median takes one value; write median(column)", 7),
        ("max(distinct x)", "max is the same of distinct values; leave distinct out", 4),
        ("count(distinct x, )", "an argument is missing beside a comma", 6),
    ],
)
def test_what_is_wrong_is_told_at_its_place(text: str, message: str, offset: int) -> None:
    with pytest.raises(NoAggregate, match=re.escape(message)) as error:
        parse_aggregate(text)
    assert error.value.offset == offset


@pytest.mark.parametrize(
    ("text", "python"),
    [
        ("arg_max(price, auction where ok)", rs.arg_max("price", "auction", where="ok")),
        ("arg_min(a + if(b, c, 1))", rs.arg_min("a + if(b, c, 1)")),
        ("collect(',x', limit=10)", rs.collect("',x'", limit=10)),
        ("top_k(distinct x, 3)", rs.top_k("x", 3, distinct=True)),
        ("quantile(x, 0.95)", rs.quantile("x", 0.95)),
        ("quantile(x, q=1 where ok)", rs.quantile("x", 1, where="ok")),
        ("median(x)", rs.median("x")),
        ("approx_count_distinct(x)", rs.approx_count_distinct("x")),
        ("sum(distinct (x))", rs.sum("(x)", distinct=True)),
        ("COUNT(DISTINCT x)", rs.count("x", distinct=True)),
        ("count(distinct)", rs.count("distinct")),
    ],
)
def test_the_text_is_what_python_writes_and_back(text: str, python: rs.Aggregate) -> None:
    assert parse_aggregate(text).aggregate(pytest.fail) == python
    assert eval(_aggregate(python), {"rs": rs}) == python  # noqa: S307 - our own text
