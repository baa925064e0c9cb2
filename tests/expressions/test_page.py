"""docs/expressions.md tells every function, operator and type as the table has it."""

from __future__ import annotations

from tests.expressions.page import PAGE, whole


def test_the_page_is_that_of_the_table() -> None:
    assert PAGE.read_text() == whole(PAGE.read_text()), "python -m tests.expressions.page"
