"""Words of Flink, Kafka Streams, Bytewax, Quix Streams and Spark: our word, or "not yet".

Lookup ignores case and underscores: `groupBy`, `group_by` and `groupby` are one word.
"""

from __future__ import annotations

from collections.abc import Mapping

from raystream.graph.nearest import did_you_mean

RENAMED: Mapping[str, str] = {
    "sliding": "hopping",
    "tumble": "tumbling",
    "session_window": "session",
    "hop": "hopping",
    "cumulate": "cumulative",
    "average": "mean",
    "avg": "mean",
    "min_by": "arg_min",
    "max_by": "arg_max",
    "argmin": "arg_min",
    "argmax": "arg_max",
    "array_agg": "collect",
    "collect_list": "collect",
    "topk": "top_k",
    "percentile": "quantile",
    "percentile_approx": "quantile",
    "approx_quantile": "quantile",
    "approx_distinct": "approx_count_distinct",
    "WatermarkStrategy": "Watermark",
    "ProcessFunction": "Process",
    "KeyedProcessFunction": "Process",
    "ValueState": "Value",
    "ListState": "List",
    "MapState": "Map",
    "State": "Value",
    "Flow": "Pipeline",
    "Dataflow": "Pipeline",
}
"""Names in other systems of things that rs has under another name."""

_OURS = (
    (".key_by(..)", "groupby groupbykey keyby keyon rekey selectkey groupon partitionby"),
    (".filter(..)", "where filtervalue"),
    (".filter(..) with the opposite condition", "filternot reject"),
    (".flat_map(..)", "flatmap flatmapvalues explode splitrows"),
    (".map(..)", "apply mapvalues mapvalue transform transformvalues update"),
    (
        ".with_columns(..)",
        "assign withcolumn addcolumn addcolumns mutate cast",
    ),
    (".select(..)", "project"),
    (".rename(old=..)", "withcolumnrenamed renamecolumns renamed"),
    (".write(..)", "sink sinkto addsink to totopic output writestream writeto insertinto"),
    (".union(..)", "merge unionall concat"),
    (".join(other, on=.., within=..)", "intervaljoin joinwithin"),
    (".lookup(table, on=..)", "joinlookup lookupjoin broadcastjoin globalktable"),
    (".lookup(table, on=..), or .process_with(rules, MyProcess(), broadcast=True)", "broadcast"),
    (".asof_join(versions, on=..)", "joinasof mergeasof temporaljoin"),
    (".join(other, on=.., window=rs.tumbling(..))", "windowjoin joinwindow cogroup"),
    ('.join(other, on=.., how="left", within=..)', "leftjoin leftouterjoin"),
    ('.join(other, on=.., how="right", within=..)', "rightjoin rightouterjoin"),
    ('.join(other, on=.., how="full", within=..)', "outerjoin fulljoin fullouterjoin"),
    (".dedupe(..)", "dedup dropduplicates distinct unique"),
    (".top(3, by=..)", "topn topk largest nlargest"),
    (".key_by(..).process(MyProcess())", "keyedprocess processfunction processvalues statefulmap"
     " statefulflatmap transformwithstate flatmapgroupswithstate mapgroupswithstate statefulbatch"
     " stateful"),
    (".key_by(..).reduce(function)", "fold scan reducefinal foldfinal accumulate aggregatebykey"
     " reducebykey"),
    (".key_by(..).process_with(other, MyProcess())", "connect comap coflatmap coprocess"
     " keyedcoprocess broadcastprocess broadcaststate"),
    (".split(a=.., b=..), and .tagged('a')", "branch partition"),
    (".inspect(function)", "peek inspectdebug tap"),
    (
        ".map(..) for each row, or .write(..): a stream ends in a sink",
        "foreach foreachbatch foreachpartition forwardto",
    ),
    (".show() for a sample, or .write(..)", "print printschema head limit take first"),
    ("read(.., event_time=.., watermark=rs.Watermark(..)) or .with_event_time(..)",
     "assigntimestampsandwatermarks withwatermark withtimestampassigner assigntimestamps"),
    (".window(rs.session(..))", "session sessionwindow windowsession sessionize"),
    (".window(rs.count_window(100))", "countwindow countwindowall"),
    (".window(rs.global_window(rs.trigger(..)))", "globalwindow globalwindows"),
    (".window(rs.tumbling(..))", "tumblingwindow timewindow windowtumbling"),
    (".window(rs.hopping(..))", "hoppingwindow slidingwindow windowhopping"),
    (".window(..)", "windowby windowedby windowall"),
    (".key_by(..).window(..).agg(..), or .aggregate(..) without a window",
     "agg aggregates count sum min max mean avg average countwindowed"),
    (".key_by(..).window(..).reduce(function)", "reducewindow foldwindow"),
    (".over(rows=10) or .over(range=..), then .agg(..)", "rolling rollingmean overwindow"
     " intervalsover slidingwindows cumsum shift rownumber lag lead rank"),
    (".late", "sideoutput getsideoutput sideoutputlatedata"),
    ("parallelism= of the step", "setparallelism rebalance shuffle repartition redistribute rescale"
     " partitioncustom"),
    ("name= of the step", "uid setuid named stepid"),
    (".window(.., allowed_lateness=..)", "allowedlateness grace"),
    (".window(.., emit=..)", "trigger suppress emitfinal evictor"),
)  # fmt: skip

_OF_A_WINDOW = (
    (".agg(n=rs.count())", "count"),
    (".agg(..) with " + "rs.sum, rs.min, rs.max, rs.mean, rs.first or rs.last", "sum min max mean"
     " avg average first last aggregate aggregates fold collect current final select"),
    (".top(3, by=..)", "topn largest nlargest rank"),
    (".apply(function, schema=..)", "process map flatmap mapbatches applyinpandas mapgroups"
     " processwindowfunction windowapply"),
    (".agg(..).write(..)", "write to sink sinkto addsink totopic show print"),
    (".window(.., allowed_lateness=..)", "allowedlateness grace"),
    (".window(.., emit=..)", "trigger suppress emit"),
    ("a verb of the stream: rows.join(other, on=.., window=..)", "join"),
    (".agg(..).late", "late sideoutputlatedata getsideoutput"),
    (".agg(..).filter(..)", "filter where having"),
)  # fmt: skip

_OF_A_PIPELINE = (
    ("p.read(..)", "fromsource addsource source input from readstream stream table topic dataframe"
     " fromcollection fromelements"),
    ("p.run() or p.submit()", "execute start executeasync runasync launch go"),
    ("checkpoint_interval= of rs.Pipeline", "enablecheckpointing"),
    ("parallelism= of rs.Pipeline", "setparallelism"),
)  # fmt: skip

_LACKING = (
    ("joins without a key are", "cross_join"),
    ("sorting is", "sort order_by orderby sortby"),
    ("pattern matching is", "pattern match_recognize cep"),
    ("SQL statements are", "sql sqlquery executesql"),
    ("asynchronous functions are", "async_map infer enrich_cached asyncio mapasync"
     " unorderedwait orderedwait enrich asyncwait"),
    ("tables are", "table to_table Table totable tostream ktable"),
    ("loops in a pipeline are", "iterate"),
    ("this aggregate is", "histogram"),
)  # fmt: skip

NOT_YET: Mapping[str, str] = {
    word: f"{what} not in this version" for what, words in _LACKING for word in words.split()
}
"""Names in other systems of things that this version lacks."""


def _bare(word: str) -> str:
    return word.replace("_", "").lower()


def _table(*rows: tuple[str, str]) -> Mapping[str, str]:
    return {word: f"it is {ours}" for ours, words in rows for word in words.split()}


_LACKED = {_bare(word): what for word, what in NOT_YET.items()}
_STREAM = _LACKED | dict(_table(*_OURS))
_WINDOW = _STREAM | dict(_table(*_OF_A_WINDOW))
_PIPELINE = dict(_table(*_OF_A_PIPELINE))


def no_verb(name: str, known: list[str]) -> AttributeError:
    """The error for a verb that streams do not have; names the verb that was probably meant.

    >>> print(no_verb("groupBy", []))
    a stream has no 'groupBy'; it is .key_by(..)
    >>> print(no_verb("cross_join", []))
    a stream has no 'cross_join'; joins without a key are not in this version
    """
    return _missing("a stream", name, _STREAM.get(_bare(name)), known)


def no_verb_of_window(name: str, known: list[str]) -> AttributeError:
    """The same for a windowed stream.

    >>> print(no_verb_of_window("count", []))
    a windowed stream has no 'count'; it is .agg(n=rs.count())
    """
    return _missing("a windowed stream", name, _WINDOW.get(_bare(name)), known)


def no_verb_of_pipeline(name: str, known: list[str]) -> AttributeError:
    """The same for a pipeline; verbs of streams are considered, too.

    >>> print(no_verb_of_pipeline("filter", []))
    a pipeline has no 'filter'; verbs follow a read: p.read(..).filter(..)
    """
    from raystream.api.keyed import KeyedStream

    bare = _bare(name)
    of_stream = _STREAM.get(bare)
    if of_stream is not None and of_stream.startswith("it is ."):
        of_stream = f"verbs follow a read: p.read(..){of_stream.removeprefix('it is ')}"
    if name in dir(KeyedStream) and not name.startswith("_"):
        of_stream = f"verbs follow a read: p.read(..).{name}(..)"
    return _missing("a pipeline", name, _PIPELINE.get(bare) or of_stream, known)


def _missing(what: str, name: str, meant: str | None, known: list[str]) -> AttributeError:
    verbs = [verb for verb in known if not verb.startswith("_")]
    return AttributeError(f"{what} has no {name!r}; {meant or did_you_mean(name, verbs)}")
