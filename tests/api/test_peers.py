"""Words of other systems lead to ours, or are told to be missing."""

from __future__ import annotations

from typing import Any

import pytest

import raystream as rs
from raystream.api.keyed import KeyedStream

p = rs.Pipeline("peers")
ROWS = p.read(rs.Rows([{"ip": "a", "n": 1, "ts": 1}]), event_time="ts")
WINDOWED = ROWS.key_by("ip").window(rs.tumbling("1m"))


@pytest.mark.parametrize(
    ("on", "words", "said"),
    [
        (ROWS, "groupBy group_by keyBy keyby key_on selectKey groupByKey", "it is .key_by("),
        (ROWS, "to sink_to sinkTo addSink add_sink output write_stream", "it is .write("),
        (ROWS, "leftJoin left_join rightJoin outerJoin intervalJoin", "it is .join(other, on="),
        (ROWS, "join_asof temporal_join", "it is .asof_join(versions, on="),
        (ROWS, "foreach forEach for_each foreachBatch", "it is .map(..) for each row, or .write("),
        (ROWS, "peek inspect_debug", "it is .inspect(function)"),
        (ROWS, "merge unionAll concat", "it is .union("),
        (ROWS, "branch partition", "it is .split(a=.., b=..), and .tagged("),
        (ROWS, "mapValues map_value transform", "it is .map("),
        (ROWS, "agg count sum avg", "it is .key_by(..).window(..).agg("),
        (ROWS, "windowBy windowedBy window_all", "it is .window("),
        (ROWS, "stateful_map transformWithState", "it is .key_by(..).process(MyProcess())"),
        (ROWS, "fold accumulate reduceByKey", "it is .key_by(..).reduce(function)"),
        (ROWS, "distinct dropDuplicates dedup", "it is .dedupe("),
        (ROWS, "sort orderBy", "sorting is not in"),
        (ROWS, "toTable to_table", "tables are not in"),
        (ROWS, "broadcast GlobalKTable", "it is .lookup(table, on=..)"),
        (ROWS, "setParallelism rebalance repartition", "it is parallelism= of the step"),
        (ROWS, "withColumn with_column cast", "it is .with_columns("),
        (ROWS, "withColumnRenamed rename_columns", "it is .rename("),
        (ROWS, "getSideOutput sideOutputLateData", "it is .late"),
        (WINDOWED, "count", "it is .agg(n=rs.count())"),
        (WINDOWED, "sum fold aggregate", "it is .agg(..) with rs.sum"),
        (WINDOWED, "process", "it is .apply(function, schema=..)"),
        (WINDOWED, "write to sink_to", "it is .agg(..).write(..)"),
        (WINDOWED, "allowedLateness grace", "it is .window(.., allowed_lateness=..)"),
        (WINDOWED, "join", "it is a verb of the stream: rows.join("),
        (p, "fromSource addSource add_source readStream input", "it is p.read("),
        (p, "execute start", "it is p.run() or p.submit()"),
        (p, "groupBy", "verbs follow a read: p.read(..).key_by("),
        (p, "filter map write", "verbs follow a read: p.read(..)."),
        (p, "rum", "did you mean 'run'?"),
        (ROWS, "filtr", "did you mean 'filter'?"),
    ],
)
def test_a_word_of_a_peer_leads_to_ours(on: Any, words: str, said: str) -> None:
    for word in words.split():
        with pytest.raises(AttributeError) as caught:
            getattr(on, word)
        assert said in str(caught.value), word
        assert repr(word) in str(caught.value)


def test_no_word_of_ours_is_told_to_be_missing() -> None:
    from raystream.api.peers import _LACKED

    ours = {n.replace("_", "") for n in dir(KeyedStream) if not n.startswith("_")}
    assert not ours & _LACKED.keys()
