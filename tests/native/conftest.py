"""Where the native reader could not be built, there is nothing of it to test."""

from __future__ import annotations

import pytest

from raystream.native import why_not


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    why = why_not()
    for item in items:
        if why and "tests/native/" in str(item.path):
            item.add_marker(pytest.mark.skip(f"no native reader: {why}"))
