"""The text format: parsed by the client library of Prometheus that Ray brings."""

from __future__ import annotations

import re
from dataclasses import replace

from prometheus_client.parser import text_string_to_metric_families

from raystream.observe.flow import SplitStatus
from raystream.observe.prometheus import MOST_SPLITS, exposition
from raystream.observe.status import StatusDocument
from tests.ui.documents import running

PLACE = {"step": "read", "split": "requests/0", "topic": "requests", "partition": "0"}


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
    assert _one(text, "source_lag_rows", **PLACE) == 17
    assert _one(text, "checkpoint_age_seconds") == 1.0
    assert _one(text, "transaction_limit_seconds") == 60
    assert _one(text, "job_state", state="running") == 1
    assert _one(text, "job_up") == 1
    assert all(family.documentation for family in text_string_to_metric_families(text))


JOB, STEP, SUBTASK = {"job"}, {"job", "step"}, {"job", "step", "chain", "subtask"}
SPLIT = {"job", "step", "split", "topic", "partition"}
NAMES = {  # api-and-yaml.md 4.5; of a histogram also its parts
    **dict.fromkeys(("rows_in_total", "rows_out_total", "bytes_in_total", "bytes_out_total"), STEP),
    **dict.fromkeys(
        ("busy_seconds_total", "backpressured_seconds_total", "idle_seconds_total"), SUBTASK
    ),
    **dict.fromkeys(("input_watermark_seconds", "output_watermark_seconds"), SUBTASK),
    "watermark_drift_seconds": STEP,
    **dict.fromkeys(("source_idle_seconds", "source_lag_rows", "source_lag_seconds"), SPLIT),
    "emit_lag_seconds": SPLIT,
    **dict.fromkeys(("late_rows_total", "dlq_rows_total", "future_rows_total"), STEP),
    **dict.fromkeys(("timers", "windows_open", "state_bytes"), SUBTASK),
    "mailbox_latency_seconds_count": JOB,
    **{
        f"checkpoint_{phase}_seconds_sum": JOB
        for phase in ("duration", "align", "upload", "commit")
    },
    "checkpoint_bytes": {"job", "kind"},
    "checkpoints_total": {"job", "result"},
    "checkpoint_age_seconds": JOB,
    **dict.fromkeys(("transactions_open", "transaction_age_seconds"), JOB),
    "transactions_total": {"job", "result"},
    **dict.fromkeys(("restarts_total", "restart_downtime_seconds"), JOB),
}


UNIT = (
    r"second|epoch s|byte|rows|records|0\.\.1|number|1 (if|for)|attempts|transactions|checkpoints"
)


def test_each_name_of_the_surface_is_there_with_its_labels_and_its_unit() -> None:
    families = list(text_string_to_metric_families(exposition([(running(), 0.1)])))
    found = {
        sample.name.removeprefix("raystream_"): set(sample.labels)
        for family in families
        for sample in family.samples
    }
    assert {name: found.get(name) for name in NAMES} == NAMES
    for family in families:
        told = family.documentation.lower()
        assert re.search(UNIT, told), (family.name, told)


def test_transactions_timers_and_windows_are_read_back() -> None:
    text = exposition([(running(60), 0.5)])
    of_subtask = {"step": "counts", "chain": "counts", "subtask": "0"}
    assert _one(text, "timers", **of_subtask) == 4
    assert _one(text, "windows_open", **of_subtask) == 3
    assert _one(text, "transactions_total", result="committed") == 12
    assert _one(text, "transactions_total", result="aborted") == 2
    assert _one(text, "emit_lag_seconds", **PLACE) == 0.25
    kinds = {dict(tags)["kind"] for name, tags in _values(text) if "checkpoint_bytes" in name}
    assert kinds == {"full", "delta"}


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
