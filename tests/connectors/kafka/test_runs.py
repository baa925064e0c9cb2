"""Runs, ends and rejects of any interleaving of partitions, against plain Python; no broker."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

import polars as pl
from hypothesis import given
from hypothesis import strategies as st

from raystream.connectors.base import ReadOptions, Split
from raystream.connectors.kafka.clients import PARTITION_EOF
from raystream.connectors.kafka.reader import KafkaReader
from raystream.data.batch import TIME
from raystream.data.schema import Schema
from raystream.formats.csv import Csv
from raystream.formats.json import Json


@dataclass
class _Eof:
    def code(self):
        return PARTITION_EOF

    def str(self):
        return "end"


class _Message:
    def __init__(self, partition, offset, value, error=None):
        self.parts = (partition, offset, value, error)

    def partition(self):
        return self.parts[0]

    def offset(self):
        return self.parts[1]

    def value(self):
        return self.parts[2]

    def error(self):
        return self.parts[3]

    def topic(self):
        return "t"

    def key(self):
        return None

    def headers(self):
        return None

    def timestamp(self):
        return (1, self.parts[1])

    def leader_epoch(self):
        return 3


class _Consumer:
    """Gives prepared messages of the partitions that are assigned."""

    def __init__(self, messages):
        self.messages = messages
        self.assigned = set()
        self.ends = {}

    def consume(self, count, timeout):
        given, self.messages = self.messages[:count], self.messages[count:]
        return [m for m in given if m.partition() in self.assigned]

    def assign_more(self, places):
        self.assigned |= {place.partition for place in places}

    def unassign(self, places):
        self.assigned -= {place.partition for place in places}

    def complaint(self):
        return None

    def silent(self):
        return {}

    def last_known_end(self, topic, partition):
        return self.ends.get(partition)


@st.composite
def _logs(draw):
    """Per partition: offsets with gaps, which are bad; one interleaving; ends; poll size."""
    logs = {}
    for partition in range(draw(st.integers(1, 3))):
        gaps = draw(st.lists(st.integers(1, 3), max_size=30))
        offsets = [sum(gaps[: n + 1]) for n in range(len(gaps))]
        logs[partition] = [(offset, draw(st.integers(0, 4)) > 0) for offset in offsets]
    order = [p for p, log in logs.items() for _ in log]
    order = draw(st.permutations(order))
    last = {p: (log[-1][0] if log else 0) for p, log in logs.items()}
    ends = {p: draw(st.none() | st.integers(0, last[p] + 3)) for p in logs}
    return logs, order, ends, draw(st.integers(1, 40))


@given(_logs())
def test_every_row_once_in_order_in_its_run_up_to_the_end(drawn):
    logs, order, ends, size = drawn
    iterators = {p: iter(log) for p, log in logs.items()}
    messages = []
    for partition in order:
        offset, good = next(iterators[partition])
        value = f'{{"p":{partition},"o":{offset}}}' if good else "{"
        messages.append(_Message(partition, offset, value.encode()))
    tail = {p: max(log[-1][0] + 1 if log else 0, ends[p] or 0) for p, log in logs.items()}
    messages += [_Message(p, tail[p], b"", _Eof()) for p in logs]

    consumer = _Consumer(messages)
    with ThreadPoolExecutor(1) as pool:
        reader = KafkaReader(
            Json(),
            ReadOptions(Schema({"p": pl.Int64(), "o": pl.Int64()})),
            consumer=consumer,
            cluster=lambda: None,
            raw_log=lambda: None,
            background=pool,
        )
        for partition, end in ends.items():
            limit = None if end is None else {"offset": end}
            reader.add(Split(f"t/{partition}", {"offset": 0}, limit))
        read = {p: [] for p in logs}
        bad = {p: [] for p in logs}
        position = dict.fromkeys(logs, 0)
        while consumer.messages:
            chunk = reader.poll(size)
            if chunk is None:
                continue
            expected_first = 0
            for run in chunk.runs:
                assert run.first == expected_first
                expected_first = run.last
                partition = int(run.split[2:])
                rows = chunk.frame[run.first : run.last]
                assert set(rows["p"].to_list()) <= {partition}
                assert rows["o"].to_list() == rows[TIME].to_list()
                read[partition] += rows["o"].to_list()
                assert run.position["offset"] >= position[partition]
                assert all(offset < run.position["offset"] for offset in read[partition])
                position[partition] = run.position["offset"]
            assert expected_first == chunk.frame.height
            for one in chunk.rejected:
                bad[int(one.headers["partition"])].append(int(one.headers["offset"]))
        for partition, log in logs.items():
            end = ends[partition]
            mine = [(offset, good) for offset, good in log if end is None or offset < end]
            assert read[partition] == [offset for offset, good in mine if good]
            assert bad[partition] == [offset for offset, good in mine if not good]
            assert position[partition] == (tail[partition] if end is None else end)
            assert reader.caught_up(f"t/{partition}")
            consumer.ends[partition] = position[partition] + 1
            assert reader.caught_up(f"t/{partition}") == (end is not None)
        assert reader.finished() == all(end is not None for end in ends.values())


def _read(payloads, options, form):
    messages = [_Message(0, offset, payload) for offset, payload in enumerate(payloads)]
    with ThreadPoolExecutor(1) as background:
        reader = KafkaReader(
            form,
            options,
            consumer=_Consumer(messages),
            cluster=lambda: None,
            raw_log=lambda: None,
            background=background,
        )
        reader.add(Split("t/0", {"offset": 0}, None))
        return reader.poll(100)


def test_a_line_of_csv_has_its_declared_columns_whichever_the_plan_needs():
    needed = Schema({"c": pl.Int64()})
    chunk = _read(
        [b"x,1.5,7", b"7"], ReadOptions(needed, record=dict.fromkeys("abc", pl.Int64())), Csv()
    )
    assert chunk.frame["c"].to_list() == [7]
    assert [r.reason for r in chunk.rejected] == ["not CSV of this schema: 1 fields instead of 3"]


def test_a_rejected_record_keeps_its_headers(monkeypatch):
    headers = [("trace", b"\xff"), ("trace", b"2"), ("none", None)]
    monkeypatch.setattr(_Message, "headers", lambda message: headers)
    chunk = _read([b"{"], ReadOptions(Schema({"n": pl.Int64()})), Json())
    assert chunk.rejected[0].record_headers == tuple(headers)
