"""A document of a job that runs an older raystream."""

from __future__ import annotations

import json
import pickle
from dataclasses import MISSING, fields, is_dataclass
from importlib import import_module
from pathlib import Path
from typing import Any

import pytest

from raystream.observe.flow import SubtaskStatus
from raystream.observe.older import completed
from raystream.observe.status import StatusDocument
from tests.observe.example import document
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


OLDER = Path(__file__).parent / "older"
KNOWN: dict[str, list[str]] = json.loads((OLDER / "fields.json").read_text())
"""The fields of all that a job tells of itself, in their order, as this version has them."""


def _class(name: str) -> Any:
    module, _, found = name.partition(":")
    return getattr(import_module(module), found)


def test_a_document_that_an_older_raystream_has_pickled_is_read() -> None:
    """The file was written by fcb1be9, which counted neither transactions nor timers."""
    data = (OLDER / "status-of-28-november.pickle").read_bytes()
    received: StatusDocument = completed(pickle.loads(data))
    assert (received.job, received.state) == ("requests", "running")
    assert (received.transactions_committed, received.transactions_aborted) == (0, 0)
    assert [each.timers for chain in received.chains for each in chain.subtasks] == [0] * 4
    assert {split.emit_lag_seconds for split in received.splits} == {None}
    assert [name.name for name in received.chains] == ["read", "counts"]
    assert StatusDocument.from_dict(received.to_dict()) == received


@pytest.mark.parametrize("name", KNOWN)
def test_a_new_field_is_the_last_one_and_has_a_default(name: str) -> None:
    """A pickled document holds its fields by position: one in between would be read as another.

    Whoever adds a field adds it to the end of older/fields.json, too; nothing there is ever moved.
    """
    now = [each.name for each in fields(_class(name))]
    assert now == KNOWN[name]


def test_every_class_of_a_document_is_watched_over() -> None:
    found: set[type] = set()

    def note(value: Any) -> None:
        if is_dataclass(value):
            found.add(type(value))
            for each in fields(value):
                note(getattr(value, each.name))
        elif isinstance(value, list | tuple):
            for part in value:
                note(part)

    note(document())
    note(running())
    assert {f"{each.__module__}:{each.__qualname__}" for each in found} <= KNOWN.keys()


def test_a_field_that_an_older_job_cannot_know_has_a_default() -> None:
    """Those of the first version may have none."""
    without = {
        f"{name}.{each.name}"
        for name in KNOWN
        for each in fields(_class(name))
        if each.default is MISSING and each.default_factory is MISSING
    }
    first = json.loads((OLDER / "without_default.json").read_text())
    assert without <= set(first)
