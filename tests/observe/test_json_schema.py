"""The schema that is checked in is that of the dataclasses, and it refuses what is none."""

from __future__ import annotations

import json
from pathlib import Path

import jsonschema
import pytest

from raystream.observe.json_schema import status_schema
from raystream.observe.status import StatusDocument
from tests.observe.example import document

SCHEMA = Path(__file__).parents[2] / "configs/status.schema.json"


def test_the_file_is_current() -> None:
    current = json.dumps(status_schema(), indent=2) + "\n"
    assert SCHEMA.read_text() == current, "write status_schema() to configs/status.schema.json"


def test_it_is_a_schema_and_every_field_is_explained() -> None:
    schema = status_schema()
    jsonschema.Draft7Validator.check_schema(schema)
    for kind in (schema, *schema["definitions"].values()):
        for name, field in kind["properties"].items():
            assert field.get("description"), f"{kind['description']} {name}"


@pytest.mark.parametrize("status", [document(), StatusDocument("sale", "recovering")])
def test_documents_are_valid(status: StatusDocument) -> None:
    told = status.to_dict()
    jsonschema.Draft7Validator(json.loads(SCHEMA.read_text())).validate(told)
    assert json.loads(json.dumps(told)) == told
    assert StatusDocument.from_dict(told) == status


@pytest.mark.parametrize(
    ("field", "value"),
    [("uptime_s", "long"), ("splits", {}), ("checkpoint", 9), ("lag", {"a": "b"}), ("job", None)],
)
def test_wrong_types_are_refused(field: str, value: object) -> None:
    told = {**document().to_dict(), field: value}
    assert not jsonschema.Draft7Validator(status_schema()).is_valid(told)


def test_a_missing_field_is_refused_by_the_schema_and_filled_in_by_the_reader() -> None:
    told = document().to_dict()
    del told["splits"]
    assert not jsonschema.Draft7Validator(status_schema()).is_valid(told)
    assert StatusDocument.from_dict(told).splits == ()


def test_a_document_without_a_job_is_none() -> None:
    with pytest.raises(ValueError, match="StatusDocument without job"):
        StatusDocument.from_dict({"state": "running"})
    nested = document().to_dict()
    nested["splits"][0]["colour"] = "blue"
    assert StatusDocument.from_dict(nested) == document()
