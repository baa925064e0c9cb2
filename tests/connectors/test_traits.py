"""Traits of sources and sinks: those of Kafka have most of them, rows in memory have none."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

import raystream as rs
from raystream.api.samples.sample_ends import SampledSource
from raystream.connectors import traits
from raystream.testing import feed

KAFKA = rs.Kafka("kafka:9092")
SOURCE = KAFKA.topic("requests", metadata=["offset"], discovery_interval="7s").as_source()
SINK = KAFKA.topic("counts", key="id").as_sink()
ASKED: list[tuple[Any, Any, Any, Any]] = [
    (traits.has_record_keys, True, True, False),
    (traits.own_key, None, "id", None),
    (traits.discovery_interval, 7.0, 60.0, 60.0),
    (traits.topics_of, ("requests",), ("counts",), ()),
    (traits.path_of, None, None, None),
    (traits.cluster_of, KAFKA, KAFKA, None),
]


@pytest.mark.parametrize(
    ("ask", "of_source", "of_sink", "of_rows"), ASKED, ids=lambda each: str(each)[:20]
)
def test_what_ends_have(ask: Any, of_source: Any, of_sink: Any, of_rows: Any) -> None:
    assert ask(SOURCE) == of_source
    assert ask(SINK) == of_sink
    assert ask(rs.Rows([])) == ask(None) == of_rows


def test_columns_of_metadata_and_checks_of_rows() -> None:
    made = traits.metadata_columns(SOURCE)
    assert made is not None
    assert "offset" in " ".join(made.columns)
    assert traits.metadata_columns(rs.Rows([])) is None
    assert traits.row_check(SINK) is not None
    assert traits.row_check(rs.Collect()) is None


def test_files_have_a_path(tmp_path: Path) -> None:
    assert traits.path_of(rs.Files(tmp_path)) == str(tmp_path)


def test_columns_of_metadata_are_there_in_tests_of_a_pipeline() -> None:
    p = rs.Pipeline("fed")
    p.read(SOURCE, schema={"n": "int"}).filter("offset >= 1").write(rs.Collect(), name="out")
    rows = [{"n": 1, "offset": 0}, {"n": 2, "offset": 1}, {"n": 3}]
    assert feed(p, {"requests": rows})["out"] == [{"n": 2, "offset": 1}]


def test_a_source_that_is_sampled_keeps_its_traits() -> None:
    assert traits.topics_of(SampledSource(SOURCE)) == ("requests",)
    assert traits.has_record_keys(SampledSource(SOURCE))
