"""The card of a notebook: questions in order, nothing unescaped, nothing but HTML."""

from __future__ import annotations

import re
from dataclasses import replace
from html.parser import HTMLParser

from raystream.observe.card import card
from raystream.observe.flow import ChainStatus, SubtaskStatus
from raystream.observe.status import SampleStatus, StatusDocument
from tests.observe.example import document

EVIL = "<script>alert(1)</script><img src=x onerror=alert(2)>\"' onmouseover='x"


class Reader(HTMLParser):
    """Tags, attributes and text; every tag must be closed."""

    def __init__(self) -> None:
        super().__init__()
        self.open: list[str] = []
        self.tags: set[str] = set()
        self.attributes: set[str] = set()
        self.text: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.add(tag)
        self.attributes |= {name for name, _ in attrs}
        if tag != "br":
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        self.text.append(data)


def read(html: str) -> Reader:
    reader = Reader()
    reader.feed(html)
    reader.close()
    assert reader.open == []
    return reader


def test_it_answers_the_questions_in_their_order() -> None:
    pieces = read(card(document(30_000, 12.0), document(10_000, 10.0))).text
    text = " ".join(pieces)
    headings = [
        "Health",
        "Throughput and lag",
        "Bottleneck",
        "Event time",
        "Checkpoints",
        "Dropped rows",
    ]
    assert [piece for piece in pieces if piece in headings] == headings
    for said in (
        "2 restarts; last cause: count[1] failed: KeyError: 'ip'",
        "at job.py:7",
        "30.0 k (10.0 k/s) in → 7",
        "lag of kafka topic requests: 1.5 k rows, 12 s",
        "count is the slowest step (busy 90 %, 2 of 2 subtasks are full); read waits for it",
        "watermark waits: partition requests/3 idle at 11:53:20",
        "checkpoint 9, 3 s ago; took 350 ms: commit 100 ms; 123.0 kB, new 4.0 kB",
        "checkpoint 8 failed: count[1] died",
        "Resumed from checkpoint 1",
        "late 4, dead letters 2",
        "not JSON · partition 3, offset 17",
        "sale.0f.write.1.3.0",
        "9.8 s of 15 min 0 s",
    ):
        assert said in text


def test_after_the_end_a_cause_is_told_once_and_nothing_holds_event_time_back() -> None:
    status = document()
    last = status.restarts[-1]
    message = f"{last.cause}\n{last.lines[-1]}"
    ended = replace(status, state="ended", outcome="failed", message=message, restart_count=1)
    assert "delays the watermark" in card(status)
    text = " ".join(read(card(ended)).text)
    assert text.count("KeyError: 'ip'") == 1
    assert "1 restart " in text
    assert "delays the watermark" not in text


def test_nothing_that_a_user_or_a_row_says_becomes_markup() -> None:
    sample = SampleStatus("late_rows", 0, EVIL, EVIL, EVIL)
    status = document(job=EVIL, notes=(EVIL,), message=EVIL, outcome=EVIL, came_from=EVIL)
    status = replace(
        status,
        culprits=(EVIL,),
        storage=EVIL,
        steps=tuple(
            replace(s, name=EVIL, description=EVIL, samples=(sample,)) for s in status.steps
        ),
        chains=tuple(replace(c, name=EVIL, held_back_by=EVIL) for c in status.chains),
        splits=tuple(replace(s, split=EVIL, step=EVIL) for s in status.splits),
        restarts=tuple(replace(r, cause=EVIL, lines=(EVIL, EVIL)) for r in status.restarts),
        transactions=tuple(replace(t, name=EVIL, state=EVIL) for t in status.transactions),
        checkpoint=replace(
            status.checkpoint,
            history=tuple(
                replace(e, reason=EVIL, savepoint=EVIL) for e in status.checkpoint.history
            ),
        ),
    )
    reader = read(card(status))
    assert reader.tags <= {"div", "span", "table", "tr", "th", "td", "br"}
    assert reader.attributes <= {"style", "title"}
    assert "".join(reader.text).count("<script>") > 10  # it is there, as text


def test_it_needs_no_script_no_style_sheet_and_no_network() -> None:
    html = card(document())
    assert not re.search(r"<script|<style|<link|https?://|url\(|class=", html)


def test_it_reads_on_dark_and_on_light_ground() -> None:
    html = card(document())
    assert "background:transparent" in html
    assert not re.search(r"(background|color):\s*(white|black|#fff|#000)", html)


def test_a_job_of_which_nothing_is_known_has_a_card() -> None:
    text = " ".join(read(card(StatusDocument("sale", "recovering"))).text)
    assert "no checkpoint yet" in text
    assert "Recovering: finishing pending commits" in text


def test_a_skewed_chain_names_the_subtask_with_the_most_rows() -> None:
    subtasks = tuple(SubtaskStatus(index, rows=rows) for index, rows in enumerate((1, 9, 3)))
    chain = ChainStatus("join", skew=3.0, subtasks=subtasks)
    assert "3.0 at [1]" in card(replace(document(), chains=(chain,)))
