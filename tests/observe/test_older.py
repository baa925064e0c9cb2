"""A document of a job that runs an older raystream."""

from __future__ import annotations

import pickle
from dataclasses import fields
from typing import Any

from raystream.observe.flow import SubtaskStatus
from raystream.observe.older import completed
from raystream.observe.status import StatusDocument
from tests.ui.documents import running


def _without_last(value: Any) -> Any:
    """As one of a class that had no last field yet."""
    older = object.__new__(type(value))
    for each in fields(value)[:-1]:
        object.__setattr__(older, each.name, getattr(value, each.name))
    return older


def test_what_an_older_job_does_not_tell_has_its_default_at_any_depth() -> None:
    status = pickle.loads(pickle.dumps(running()))
    chain = status.chains[0]
    last = fields(SubtaskStatus)[-1]
    object.__setattr__(chain, "subtasks", tuple(_without_last(each) for each in chain.subtasks))
    received = completed(_without_last(status))
    assert isinstance(received, StatusDocument)
    assert getattr(received.chains[0].subtasks[0], last.name) == last.default
    assert StatusDocument.from_dict(received.to_dict()) == received


def test_nothing_else_is_touched() -> None:
    status = running()
    assert completed(status) == running()
    assert completed(None) is None
    assert completed("text") == "text"
