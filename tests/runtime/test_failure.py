"""Failures: kind, place and at most ten lines."""

from __future__ import annotations

import pytest

from raystream.errors import DataError, StorageError, UserCodeError
from raystream.runtime.channels.base import ChannelBroken
from raystream.runtime.failure import failure_of


@pytest.mark.parametrize(
    ("error", "kind"),
    [
        (ChannelBroken("gone"), "channel"),
        (UserCodeError("NameError: x", "job.py:3"), "user"),
        (DataError("not JSON", "topic t, partition 0, offset 1"), "data"),
        (StorageError("disk full"), "infrastructure"),
        (ConnectionResetError("peer"), "infrastructure"),
        (KeyError("x"), "engine"),
    ],
)
def test_kind(error: Exception, kind: str) -> None:
    assert failure_of(error).kind == kind


def test_foreign_exception_tells_the_users_line_last() -> None:
    def user_function() -> None:
        undefined_name()  # type: ignore[name-defined]  # noqa: F821

    with pytest.raises(NameError) as caught:
        user_function()
    failure = failure_of(caught.value)
    assert failure.message == "NameError: name 'undefined_name' is not defined"
    assert __file__ in failure.where
    assert len(failure.lines) <= 10
    assert __file__ in failure.lines[-1]
