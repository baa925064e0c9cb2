"""The dict of the last seconds."""

from __future__ import annotations

import json

from raystream.observe.progress import progress
from raystream.observe.status import StatusDocument
from tests.observe.example import document


def test_it_is_plain_json_with_rates_offsets_and_reasons() -> None:
    told = progress(document(30_000, 12.0), document(10_000, 10.0))
    assert json.loads(json.dumps(told)) == told
    assert (told["rows_in"], told["rows_in_per_second"], told["over_s"]) == (30_000, 10_000.0, 2.0)
    assert told["bytes_in_per_second"] == 700_000.0
    assert told["event_time"] == {
        "watermark": "2023-11-15T11:53:20.000Z",
        "watermark_ms": 1_700_049_200_000,
        "held_back_by": ["requests/3"],
        "idle": ["requests/4"],
    }
    (source,) = told["sources"]
    assert (source["step"], source["lag_rows"], source["lag_seconds"]) == ("read", 1500, 12.0)
    assert source["rows_per_second"] == 10_000.0
    assert source["splits"][0]["position"] == {"offset": 9}
    (sink,) = told["sinks"]
    assert (sink["rows"], sink["open_transactions"], sink["oldest_transaction_s"]) == (7, 1, 9.8)
    assert told["checkpoint"]["align_s"] == 0.1
    assert told["left_out"]["late_rows"] == 4
    assert told["why_waiting"].startswith("watermark waits: partition requests/3 idle at 11:53:20")


def test_there_is_no_rate_without_an_earlier_document_or_after_a_restart() -> None:
    assert progress(document())["rows_in_per_second"] is None
    assert progress(document(10, 12.0), document(9000, 10.0))["rows_in_per_second"] is None
    other_run = document(9, 10.0, run="another")
    assert progress(document(10, 12.0), other_run)["rows_in_per_second"] is None


def test_a_job_that_does_not_run_says_what_it_does() -> None:
    assert progress(document(state="failing"))["why_waiting"] == (
        "Failed, restarting: count[1] failed: KeyError: 'ip'"
    )
    assert progress(StatusDocument("sale", "ended"))["why_waiting"] == ""
