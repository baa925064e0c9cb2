"""The text format: parsed by the client library of Prometheus that Ray brings."""

from __future__ import annotations

from dataclasses import replace

from prometheus_client.parser import text_string_to_metric_families

from raystream.observe.flow import SplitStatus
from raystream.observe.prometheus import MOST_SPLITS, exposition
from raystream.observe.status import StatusDocument
from tests.ui.documents import running


def _values(text: str) -> dict[tuple[str, frozenset[tuple[str, str]]], float]:
    return {
        (sample.name, frozenset(sample.labels.items())): sample.value
        for family in text_string_to_metric_families(text)
        for sample in family.samples
    }


def _one(text: str, name: str, **labels: str) -> float:
    return _values(text)["raystream_" + name, frozenset({"job": "requests", **labels}.items())]


def test_every_series_is_read_back_with_its_value() -> None:
    text = exposition([(running(60), 0.5)])
    assert _one(text, "rows_in_total", step="counts") == 60_000
    assert _one(text, "late_rows_total", step="counts") == 3
    assert _one(text, "source_lag_rows", step="read", split="requests/0") == 17
    assert _one(text, "checkpoint_age_seconds") == 1.0
    assert _one(text, "transaction_limit_seconds") == 60
    assert _one(text, "job_state", state="running") == 1
    assert _one(text, "job_up") == 1
    assert all(family.documentation for family in text_string_to_metric_families(text))


def test_a_family_is_one_block_whatever_the_number_of_jobs() -> None:
    text = exposition([(running(), 0.1), (running(job="sale"), 0.1)])
    names = [line.split()[2] for line in text.splitlines() if line.startswith("# TYPE")]
    assert len(names) == len(set(names))
    assert len(_values(text)) == 2 * len(_values(exposition([(running(), 0.1)])))


def test_names_with_quotes_and_new_lines_survive() -> None:
    odd = 'a "b"\\\nc'
    (value,) = {
        dict(labels)["job"] for _, labels in _values(exposition([(running(job=odd), 0)])) if labels
    }
    assert value == odd


def test_silence_and_an_end_are_seen() -> None:
    assert _one(exposition([(running(), 30.0)]), "job_up") == 0
    over = exposition([(running().ended("failed"), 0.0)])
    assert (_one(over, "job_up"), _one(over, "job_state", state="ended")) == (0, 1)
    assert "rows_in_total" not in over


def test_splits_are_capped_and_the_sum_is_not() -> None:
    splits = tuple(SplitStatus(f"t/{n}", "read", lag_rows=1) for n in range(5_000))
    text = exposition([(replace(running(), splits=splits), 0.0)])
    assert text.count("raystream_source_lag_rows{") == MOST_SPLITS
    assert _one(text, "lag_rows") == 5_000


def test_a_watermark_at_the_end_of_time_is_left_out() -> None:
    text = exposition([(StatusDocument("requests", "running", watermark_ms=2**63 - 1), 0.0)])
    assert "watermark" not in text
