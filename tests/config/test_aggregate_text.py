"""`sum(price where ..)` and its other ways to be written."""

from __future__ import annotations

import pytest

from raystream.config.aggregate_text import NoAggregate, parse_aggregate


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
    ],
)
def test_what_is_wrong_is_told_at_its_place(text: str, message: str, offset: int) -> None:
    with pytest.raises(NoAggregate, match=message.replace("+", "[+]")) as error:
        parse_aggregate(text)
    assert error.value.offset == offset
