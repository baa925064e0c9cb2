"""Names of kafka-python that it may change at any time are as in the version that is pinned."""

from __future__ import annotations

import ast
import inspect
import warnings
from importlib.metadata import version
from pathlib import Path
from typing import Any

import pytest

with warnings.catch_warnings():
    warnings.simplefilter("ignore", DeprecationWarning)
    from kafka.admin import KafkaAdminClient
    from kafka.net.inet import KafkaNetSocket
    from kafka.net.manager import KafkaConnectionManager

from raystream.connectors.kafka.kafka_python import operations

KAFKA = Path(__file__).parents[3] / "raystream/connectors/kafka"
PRIVATE = {"_manager", "_client", "_net", "_get_cluster_metadata"}


def test_they_were_looked_at_for_this_version() -> None:
    assert version("kafka-python") == "3.0.12", "look at connectors/kafka/kafka_python.py again"


@pytest.mark.parametrize(
    ("function", "parameters"),
    [
        (KafkaConnectionManager.run, ["self", "coro", "args"]),
        (KafkaConnectionManager.send, ["self", "request", "node_id", "request_timeout_ms"]),
        (KafkaAdminClient._get_cluster_metadata, ["self", "topics"]),
    ],
)
def test_they_take_what_they_are_given(function: Any, parameters: list[str]) -> None:
    assert list(inspect.signature(function).parameters)[: len(parameters)] == parameters


def test_the_constructor_leaves_what_is_closed_if_it_fails() -> None:
    source = inspect.getsource(KafkaAdminClient.__init__)
    for line in ("self._client = ", "self._manager = self._client._manager", "self._net.start()"):
        assert line in source


def test_a_refused_connection_is_closed_by_us() -> None:
    assert KafkaNetSocket.sock_connect.__module__ == "raystream.connectors.kafka.kafka_python"


def test_rights_have_names() -> None:
    assert operations([1, 3, 8]) == {"READ", "DESCRIBE"}


def foreign(path: Path) -> set[str]:
    """Attributes of other objects than `self`, with a name that is kafka-python's own."""
    return {
        node.attr
        for node in ast.walk(ast.parse(path.read_text()))
        if isinstance(node, ast.Attribute)
        and node.attr in PRIVATE
        and not (isinstance(node.value, ast.Name) and node.value.id == "self")
    }


def test_no_other_file_knows_them() -> None:
    found = {path.name: foreign(path) for path in KAFKA.glob("*.py")}
    assert {name for name, names in found.items() if names} == {"kafka_python.py"}
