"""Who holds a job back: the sentence for each case, and none where all is well."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from raystream.observe.culprit import culprit_chain, culprits
from raystream.observe.silence import Silence
from raystream.observe.status import (
    ChainStatus,
    CheckpointStatus,
    SplitStatus,
    StatusDocument,
    StepStatus,
    StuckFunction,
    SubtaskStatus,
    TransactionStatus,
)
from raystream.observe.waiting import why_waiting

NOON = 1_700_049_600_000

READ = StepStatus("read", "read", 1, counters={"is_source": 1}, description="kafka topic requests")
WRITE = StepStatus("write", "count", 1, counters={"is_sink": 1}, description="kafka topic counts")


def job(*chains: ChainStatus, **more: Any) -> StatusDocument:
    return StatusDocument("sale", "running", chains=chains, steps=(READ, WRITE), at_ms=NOON, **more)


def chain(
    name: str, busy: float, waits: float = 0.0, *subtasks: SubtaskStatus, **more: Any
) -> ChainStatus:
    return ChainStatus(name, busy, waits, subtasks=subtasks or (sub(0, busy, waits),), **more)


def sub(index: int, busy: float, waits: float = 0.0, rows: int = 0) -> SubtaskStatus:
    return SubtaskStatus(index, busy, waits, round(1 - busy - waits, 3), rows=rows)


def test_the_chain_that_is_blamed_is_not_one_of_a_similar_name_nor_one_that_waits_for_it() -> None:
    slow = job(chain("count", 0.1, 0.9), chain("counts", 0.97), chain("counts-2", 0.1))
    assert culprits(slow)[0].startswith("counts is the slowest step")
    assert culprit_chain(slow) == "counts"
    stuck = StuckFunction("count[0]", "job.py:3", "look", 20.0)
    assert culprit_chain(replace(slow, stuck=(stuck,))) == "count"
    assert culprit_chain(job(chain("read", 0.1), chain("count", 0.1, sink_wait=0.9))) == "count"
    left = (SplitStatus("requests/0", "read", lag_rows=50_000),)
    starved = replace(job(chain("read", 0.1), chain("count", 0.1)), splits=left)
    assert culprit_chain(starved) == "read"
    assert culprit_chain(job(chain("read", 0.1), chain("count", 0.1))) == ""
    assert culprit_chain(replace(slow, silences=(Silence("broker b", 9.0),))) == ""


def test_who_waits_behind_the_slowest_does_not_wait_for_it() -> None:
    assert culprits(job(chain("read", 0.95), chain("count", 0.1, 0.9))) == (
        "read is the slowest step (busy 95 %)",
    )


def test_functions_of_the_user_in_the_slowest_are_named() -> None:
    function = StepStatus("geo", "read", 1, verb="row_functions")
    status = replace(job(chain("read", 0.95)), steps=(READ, function, WRITE))
    assert culprits(status) == ("read is the slowest step (busy 95 %); it runs geo",)


def test_a_function_that_does_not_return_is_named_with_its_line() -> None:
    stuck = StuckFunction("geo[1]", "jobs/geo.py:17", "lookup", 12.3)
    status = job(chain("read", 0.1, 0.9), chain("geo", 0.99), stuck=(stuck,))
    assert culprits(status) == (
        "geo[1] has been in lookup at jobs/geo.py:17 for 12 s: the function does not return",
    )
    assert StatusDocument.from_dict(status.to_dict()).stuck == (stuck,)
    assert status.ended("cancelled").stuck == ()


def test_one_subtask_with_most_of_the_rows_is_skew() -> None:
    subtasks = (sub(0, 0.2, rows=2000), sub(1, 0.97, rows=9000), sub(2, 0.3, rows=3000))
    found = culprits(job(chain("read", 0.1, 0.9), chain("count", 0.97, 0.0, *subtasks, skew=3.0)))
    assert found == (
        "count[1] is the slowest (busy 97 %): it gets 3.0 times the median of rows, its keys"
        " are skewed; read waits for it",
    )


def test_a_slow_subtask_with_no_more_rows_than_others_is_not_skew() -> None:
    subtasks = (sub(0, 0.2, rows=9000), sub(1, 0.97, rows=2000))
    assert culprits(job(chain("count", 0.97, 0.0, *subtasks, skew=1.9))) == (
        "count is the slowest step (busy 97 %, 1 of 2 subtasks are full)",
    )


def test_a_slow_function_is_told_by_what_a_row_costs() -> None:
    subtasks = [sub(index, 0.99) for index in range(8)]
    slow = chain("geo", 0.99, 0.0, *subtasks, ms_per_row=20.2)
    assert culprits(job(chain("read", 0.01, 0.99), slow)) == (
        "geo is the slowest step (busy 99 %, 8 of 8 subtasks are full, 20 ms a row);"
        " read waits for it",
    )


def test_a_sink_that_takes_no_more_rows_is_named() -> None:
    assert culprits(job(chain("read", 0.1, 0.8), chain("count", 0.1, 0.85, sink_wait=0.85))) == (
        "write is slow: kafka topic counts does not accept more rows (count waits for it 85 % of"
        " the time)",
    )


def test_a_source_that_waits_while_much_is_left_blames_the_broker() -> None:
    split = SplitStatus("requests/0", "read", lag_rows=1_200_000, watermark_ms=NOON)
    assert culprits(job(chain("read", 0.2), chain("count", 0.1), splits=(split,))) == (
        "read waits for kafka topic requests: 1.20 M rows are left to read, but arrive slowly"
        " (idle 80 %)",
    )


def test_a_source_before_its_first_look_blames_nobody() -> None:
    split = SplitStatus("requests/0", "read", lag_rows=1_200_000, watermark_ms=NOON)
    assert culprits(job(ChainStatus("read"), splits=(split,))) == ()


def test_a_partition_without_a_row_keeps_all_event_time_back() -> None:
    splits = (
        SplitStatus("requests/0", watermark_ms=NOON),
        SplitStatus("requests/3", quiet_seconds=12.0, lag_rows=0),
    )
    assert culprits(job(splits=splits)) == (
        "no watermark yet: partition requests/3 has delivered no rows: empty for 12 s",
    )


def test_a_quiet_partition_holds_event_time_until_it_is_idle() -> None:
    quiet = SplitStatus("requests/3", lag_rows=0, watermark_ms=NOON - 600_000, quiet_seconds=40.0)
    ahead = SplitStatus("requests/0", lag_rows=9, watermark_ms=NOON)
    said = "watermark waits: partition requests/3 idle at 11:50:00, nothing new for 40 s"
    assert culprits(job(splits=(quiet, ahead))) == (said,)
    assert why_waiting(job(splits=(quiet, ahead))) == said


def test_a_partition_that_is_behind_is_named_with_what_is_left() -> None:
    slow = SplitStatus("requests/3", lag_rows=500_000, watermark_ms=NOON - 3_600_000)
    ahead = SplitStatus("requests/0", lag_rows=0, watermark_ms=NOON)
    assert culprits(job(splits=(slow, ahead))) == (
        "watermark is delayed by partition requests/3 at 11:00:00, 500.0 k rows left: others"
        " are 1 h 0 min ahead",
    )


def test_idle_partitions_hold_nobody_back() -> None:
    idle = SplitStatus("requests/3", watermark_ms=0, idle=True, quiet_seconds=99.0)
    fresh = SplitStatus("requests/0", lag_rows=3, watermark_ms=NOON)
    assert culprits(job(splits=(idle, fresh))) == ()
    assert why_waiting(job(splits=(idle, fresh))) == ""


def test_waiting_for_data_is_said_so() -> None:
    splits = tuple(SplitStatus(f"r/{n}", lag_rows=0, quiet_seconds=1.0) for n in range(2))
    assert why_waiting(job(splits=splits)) == (
        "waiting for data: all 2 splits have been read to the end"
    )


def test_a_checkpoint_that_waits_for_an_ack_names_whose() -> None:
    told = CheckpointStatus(
        11, running=12, running_s=31.0, interval_s=10.0, waiting_for=("count[1]", "read[0]")
    )
    assert culprits(job(checkpoint=told)) == (
        "checkpoint 12 has been waiting 31 s for count[1], read[0]",
    )
    acked = CheckpointStatus(11, running=12, running_s=31.0, interval_s=10.0)
    assert culprits(job(checkpoint=acked)) == (
        "checkpoint 12 is being committed; it was triggered 31 s ago",
    )
    young = CheckpointStatus(11, running=12, running_s=4.0, waiting_for=("count[1]",))
    assert culprits(job(checkpoint=young)) == ()


def test_a_transaction_near_the_limit_of_the_broker_is_named() -> None:
    old = TransactionStatus("sale.x.write.0", "write", 0, "prepared", 5, 500.0, 900.0)
    assert culprits(job(transactions=(old,))) == (
        "transaction sale.x.write.0 of write is 8 min 20 s old; the broker aborts it after"
        " 15 min 0 s",
    )
    unlimited = TransactionStatus("", "write", 0, "open", 5, 500.0)
    assert culprits(job(transactions=(unlimited,))) == ()


def test_splits_that_are_near_one_another_wait_for_nobody() -> None:
    splits = (
        SplitStatus("r/0", lag_rows=9, watermark_ms=NOON - 900),
        SplitStatus("r/1", lag_rows=9, watermark_ms=NOON),
    )
    assert culprits(job(splits=splits)) == ()
    assert why_waiting(job(splits=splits)) == ""
