from __future__ import annotations

import json
from dataclasses import replace

from hypothesis import given
from hypothesis import strategies as st

from raystream.observe.culprit import culprits
from raystream.observe.live_line import live_line
from raystream.observe.status import (
    ChainStatus,
    CheckpointStatus,
    RestartStatus,
    Silence,
    StatusDocument,
    StepStatus,
)


def document(rows: int, uptime: float) -> StatusDocument:
    return StatusDocument(
        job="sale",
        state="running",
        uptime_s=uptime,
        attempt=3,
        restart_count=2,
        restarts=(RestartStatus(2, "count[1] died", 4.0),),
        steps=(
            StepStatus("read", "read", 2, rows_out=rows, counters={"is_source": 1}),
            StepStatus("count", "count", 2, late_rows=4, counters={"late_rows": 4}),
            StepStatus("write", "count", 2, rows_in=7, counters={"is_sink": 1, "dlq_rows": 1}),
        ),
        chains=(ChainStatus("read", 0.2, 0.8, 1000), ChainStatus("count", 0.9, 0.0, 900)),
        lag={"requests/0": 1500, "requests/1": 0},
        checkpoint=CheckpointStatus(number=9, completed=8),
    )


def test_a_document_survives_json() -> None:
    status = document(10, 1.0)
    assert StatusDocument.from_dict(json.loads(json.dumps(status.to_dict()))) == status


def test_a_field_of_a_newer_version_is_ignored() -> None:
    told = {**document(10, 1.0).to_dict(), "colour": "blue"}
    assert StatusDocument.from_dict(told) == document(10, 1.0)


def test_the_live_line_says_what_matters() -> None:
    assert live_line(document(30_000, 12.0), document(10_000, 10.0)) == (
        "sale  running  12 s  restarts 2 (count[1] died)  read 30.0 k (10.0 k/s)  late 4"
    )
    calm = replace(document(30_000, 12.0), restart_count=0, restarts=())
    assert live_line(calm, document(10_000, 10.0)) == (
        "sale  running  12 s  read 30.0 k (10.0 k/s)  written 7  checkpoint 9  lag 1.5 k"
    )


@given(
    st.builds(
        StatusDocument,
        job=st.text(min_size=1, max_size=200),
        state=st.sampled_from(["running", "deploying", "recovering"]),
        uptime_s=st.floats(0, 1e7),
        restart_count=st.integers(1, 10**6),
        restarts=st.just((RestartStatus(1, "x" * 300, 1.0),)),
        lag=st.just({"in/0": 10**15}),
        silences=st.sampled_from([(), (Silence(f"broker {'b' * 90}:1", 9.0),)]),
    )
)
def test_the_live_line_never_wraps(status: StatusDocument) -> None:
    line = live_line(status)
    assert len(line) <= 80
    assert ("broker b" if status.silences else "restarts") in line


def test_no_rate_when_the_counters_began_again() -> None:
    assert "/s" not in live_line(document(10, 12.0), document(10_000, 10.0))


def test_the_slowest_chain_is_named_with_those_that_wait_for_it() -> None:
    assert culprits(document(1, 1.0)) == (
        "count is the slowest step (busy 90 %); read waits for it",
    )


def test_the_split_that_holds_event_time_back_is_named() -> None:
    silent = ChainStatus("read", watermark_ms=None, held_back_by="requests/3")
    slow = ChainStatus("count", watermark_ms=5, held_back_by="read[1]")
    assert culprits(StatusDocument("sale", "running", chains=(silent, slow))) == (
        "no watermark yet in read: waiting for requests/3",
    )
    assert culprits(StatusDocument("sale", "running", chains=(slow,))) == (
        "watermark of count is delayed by read[1]",
    )


def test_a_healthy_job_has_no_culprit() -> None:
    assert culprits(StatusDocument("sale", "running", chains=(ChainStatus("read", 0.3),))) == ()
