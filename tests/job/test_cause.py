from __future__ import annotations

from raystream.ids import SubtaskId
from raystream.job.cause import MAX_LINES, first_cause
from raystream.job.messages import Failure

COUNT = SubtaskId("count", 1)
SINK = SubtaskId("write", 0)
EOF = Failure("channel", "connection to count[1] ended")


def test_the_dead_one_is_the_cause_and_the_broken_channel_its_effect() -> None:
    cause = first_cause([(SINK, EOF), (COUNT, Failure("died", "killed by signal 9"))])
    assert cause.line() == "count[1] died: killed by signal 9"


def test_user_code_is_a_cause_too() -> None:
    user = Failure("user", "KeyError: 'ip'", "job.py:9", step="parse")
    assert first_cause([(SINK, EOF), (COUNT, user)]).line() == (
        "count[1] failed at step parse: KeyError: 'ip'"
    )


def test_among_causes_the_first_to_arrive() -> None:
    first, second = Failure("died", "one"), Failure("user", "two")
    assert first_cause([(COUNT, first), (SINK, second)]).failure == first


def test_silence_is_named_only_when_nobody_says_more() -> None:
    silent = Failure("silent", "no answer for 10 s")
    assert first_cause([(SINK, silent), (COUNT, Failure("died", "gone"))]).subtask == COUNT
    assert first_cause([(COUNT, EOF), (SINK, silent)]).line() == (
        "write[0] does not answer: no answer for 10 s"
    )


def test_a_broken_channel_alone_is_the_cause() -> None:
    assert first_cause([(SINK, EOF)]).line() == (
        "write[0] lost a neighbour: connection to count[1] ended"
    )


def test_at_most_ten_lines_that_end_on_the_users_own_line() -> None:
    trace = (*(f'  File "engine.py", line {n}' for n in range(30)), "  job.py:9: rows['ip']")
    user = Failure("user", "KeyError: 'ip'", "job.py:9", trace, "parse")
    lines = first_cause([(COUNT, user)]).text().splitlines()
    assert len(lines) == MAX_LINES
    assert lines[0] == "count[1] failed at step parse: KeyError: 'ip'"
    assert lines[-1] == "  job.py:9: rows['ip']"


def test_the_place_is_added_when_no_line_names_it() -> None:
    user = Failure("user", "KeyError: 'ip'", "job.py:9", step="parse")
    assert first_cause([(COUNT, user)]).text().splitlines()[-1] == "at job.py:9"


def test_the_coordinator_may_be_where_it_failed() -> None:
    cause = first_cause([(None, Failure("infrastructure", "checkpoint 3: timed out"))])
    assert cause.line() == "coordinator failed: checkpoint 3: timed out"
