"""What a pipeline file may say about steps: a form per verb."""

from __future__ import annotations

from collections.abc import Mapping

from raystream.config.fields import (
    COLUMN,
    COUNT,
    ERRORS,
    FUNCTION,
    NAMED,
    PARALLELISM,
    SCHEMA,
    SQL,
    STREAM,
    TIME,
    UNIT,
    WATERMARK,
    ZONE,
)
from raystream.config.offsets import read_offset
from raystream.config.other_verbs import other_verbs
from raystream.config.shapes import (
    DURATION,
    ByKind,
    Field,
    ListOf,
    MapOf,
    Record,
    Shape,
    Text,
    Truth,
    Variants,
    Word,
    one_or_more,
)

KEYS = ByKind(
    scalar=COLUMN, sequence=ListOf(COLUMN, least=0), mapping=MapOf(SQL, what="a column name")
)

OFFSET = Text(
    "an offset",
    rf"{DURATION}|\d+|\d{{4}}-\d\d-\d\d[Tt ]\d\d:\d\d(?::\d\d(?:\.\d+)?)?(?:[Zz]|[+-]\d\d:\d\d)",
    "write a duration, or a moment with its zone: 2024-11-29T00:00:00Z",
    numbers=True,
    reads=read_offset,
)

_GAP = Text("a gap")
_GAP_FIELD = Field(_GAP, "A duration, or a column with the gap after its row.", required=True)

_TTL = Field(TIME, "How long a key without rows is kept. Default: for ever.")

WINDOW = Record(
    "a window",
    {
        "tumbling": Field(TIME, "Length; windows touch."),
        "hopping": Field(
            Record(
                "a hopping window",
                {
                    "size": Field(TIME, "Length.", required=True),
                    "slide": Field(TIME, "Distance of their starts.", required=True),
                },
            ),
            "Windows that overlap.",
        ),
        "cumulative": Field(
            Record(
                "a cumulative window",
                {
                    "max_size": Field(TIME, "Length of the longest.", required=True),
                    "step": Field(TIME, "By how much each is longer.", required=True),
                },
            ),
            "Windows with a common start that grow.",
        ),
        "session": Field(
            ByKind(scalar=_GAP, mapping=Record("a session window", {"gap": _GAP_FIELD})),
            "Rows that are at most a gap apart.",
        ),
        "count": Field(
            ByKind(
                scalar=COUNT,
                mapping=Record(
                    "a count window",
                    {
                        "size": Field(COUNT, "Rows of a window.", required=True),
                        "slide": Field(COUNT, "A window ends every so many rows. Default: size."),
                        "ttl": _TTL,
                    },
                ),
            ),
            "So many rows of a key, in the order in which they come.",
        ),
        "global": Field(
            Record(
                "a global window",
                {
                    "count": Field(COUNT, "Emitted every so many rows of a key."),
                    "every": Field(TIME, "Emitted at this interval by the clock."),
                    "purge": Field(Truth(), "It starts anew each time. Default: false."),
                    "ttl": _TTL,
                },
                one_of=(("count", "every"),),
                example="{count: 100}",
            ),
            "All rows of a key, emitted by a trigger.",
        ),
        "offset": Field(OFFSET, "A window starts here: a duration, epoch ms, or a moment."),
        "time_zone": Field(
            ZONE, "Days and hours are those of its clocks: Europe/Berlin. Default: UTC."
        ),
    },
    one_of=(("tumbling", "hopping", "cumulative", "session", "count", "global"),),
    example="{tumbling: 1m}",
)

EMIT = ByKind(
    scalar=Word(("on_close", "on_update")),
    mapping=Record("an emission", {"early": Field(TIME, "How often.", required=True)}),
)

_COMMON: Mapping[str, Field] = {
    "name": Field(NAMED, "Identity of the step in checkpoints."),
    "from": Field(STREAM, "Step or source. Default: the step above."),
    "parallelism": PARALLELISM,
}


def _step(what: str, verb: str, shape: Shape, doc: str, more: Mapping[str, Field]) -> Record:
    return Record(what, {verb: Field(shape, doc, required=True), **more, **_COMMON})


_COLUMNS = MapOf(SQL, what="a column name")

_NAMES = MapOf(COLUMN, what="a column name")

_LATE = Field(NAMED, "Sink for late rows. Default: dropped and counted.")

_END = Text("an end of an interval")

JOIN = Record(
    "a join",
    {
        "join": Field(STREAM, "The other stream: a step or source.", required=True),
        "keys": Field(  # `on` is a truth value in YAML 1.1
            ByKind(scalar=COLUMN, sequence=ListOf(COLUMN), mapping=MapOf(COLUMN, what="a column")),
            "Columns that are equal: names, or column here -> column there.",
            required=True,
        ),
        "how": Field(
            Word(("inner", "left", "right", "full", "semi", "anti")),
            "Which rows it gives. Default: inner, the pairs.",
        ),
        "within": Field(
            ByKind(scalar=TIME, sequence=ListOf(_END, least=2)),
            "[-5s, 10m]: from when to when the other row may be; an end may be a column.",
        ),
        "window": Field(WINDOW, "Rows meet in the same window."),
        "ttl": Field(TIME, "How long rows live in a join without limits. Default: for ever."),
        "suffix": Field(Text(), "Behind names of the other stream that are taken: _right."),
        "late": _LATE,
        **_COMMON,
    },
)

ASOF_JOIN = Record(
    "an as-of join",
    {
        "asof_join": Field(STREAM, "The stream of versions: a step or source.", required=True),
        "keys": JOIN.fields["keys"],
        "how": Field(Word(("inner", "left")), "Default: inner, only rows with a version."),
        "within": Field(TIME, "How old a version may be. Default: any age."),
        "suffix": JOIN.fields["suffix"],
        "late": _LATE,
        **_COMMON,
    },
)

LOOKUP = Record(
    "a lookup",
    {
        "lookup": Field(STREAM, "The table, read whole before: a step or source.", required=True),
        "keys": JOIN.fields["keys"],
        "how": Field(
            Word(("inner", "left", "semi", "anti")),
            "Default: inner, only rows that the table has.",
        ),
        "suffix": JOIN.fields["suffix"],
        **_COMMON,
    },
)

_SELECTED = ByKind(
    scalar=COLUMN, sequence=ListOf(ByKind(scalar=COLUMN, mapping=_COLUMNS)), mapping=_COLUMNS
)

_ERRORS = {"errors": Field(ERRORS, "Rows that cannot be computed. Default: fail.")}

_WITHIN = {
    "keep": Field(Word(("first", "last")), "Last: a stream of changes. Default: first."),
    "within": Field(TIME, "How far behind a row is a duplicate. Default: for ever."),
}

_TOP = {
    "by": Field(
        one_or_more(Text("an order")), "Columns: price, or price asc for the least.", required=True
    ),
    "rank": Field(COLUMN, "Column for the place of a row, from 1."),
    "ttl": Field(TIME, "How long a key without rows is kept. Default: for ever."),
}

_BATCH_FORMAT = Word(("polars", "pandas", "pyarrow"))

_BATCHES = {"batch_format": Field(_BATCH_FORMAT, "With each batch in this format, not each row.")}

_OUTPUT_SCHEMA = {"schema": Field(SCHEMA, "Columns of the new rows."), **_ERRORS}

_TO = "Sink; steps read it as from: STEP.TAG."

_SIDE_OUTPUTS = MapOf(
    ByKind(
        scalar=NAMED,
        mapping=Record(
            "a side output",
            {
                "to": Field(NAMED, _TO),
                "schema": Field(SCHEMA, "Columns of its rows. Default: those of the input."),
            },
        ),
    ),
    what="a tag",
)

_BRANCHES = MapOf(
    Record(
        "a branch",
        {
            "where": Field(SQL, "Rows for which this is true.", required=True),
            "to": Field(NAMED, _TO),
        },
    ),
    what="a branch",
)

AGGREGATE = Record(
    "an aggregation",
    {
        "aggregate": Field(
            MapOf(Text("an aggregate"), what="a column name"),
            "Output column -> count(), sum(x), min, max, mean, ..; sum(x where y > 1).",
            required=True,
        ),
        "window": Field(
            WINDOW, "Windows of event time. Default: none; a result row changes with later rows."
        ),
        "key_by": Field(
            KEYS, "Key columns, [] for none. Default: those of a key_by step or aggregate above."
        ),
        "having": Field(SQL, "Only result rows for which this is true."),
        "emit": Field(
            EMIT, "on_close, on_update: changes, or {early: 10s}: also open windows, final = false."
        ),
        "allowed_lateness": Field(TIME, "How long a window still takes late rows. Default: 0s."),
        "ttl": Field(TIME, "Without a window: how long a key without rows is kept. Default: ever."),
        "late": _LATE,
        **_ERRORS,
        **_COMMON,
    },
)


OVER = Record(
    "an over",
    {
        "over": Field(
            Record(
                "a frame",
                {
                    "rows": Field(COUNT, "The row itself and those before it: so many rows."),
                    "range": Field(TIME, "Rows that are at most so much older."),
                },
                example="{rows: 10}",
            ),
            "Each row with aggregates over the rows of its key before it.",
            required=True,
        ),
        "aggregate": Field(
            MapOf(Text("an aggregate"), what="a column name"),
            "Output column -> mean(x), .., row_number(), lag(x), lag(x, 2).",
            required=True,
        ),
        "key_by": AGGREGATE.fields["key_by"],
        "ttl": Field(TIME, "Rows with a longer pause between them do not see each other."),
        "late": _LATE,
        **_ERRORS,
        **_COMMON,
    },
)

WINDOW_APPLY = Record(
    "a window_apply",
    {
        "window_apply": Field(
            FUNCTION, "Frame -> frame, in Python, for each closed window.", required=True
        ),
        "window": Field(WINDOW, "Windows of event time.", required=True),
        "schema": Field(SCHEMA, "Columns that it returns.", required=True),
        "key_by": AGGREGATE.fields["key_by"],
        "allowed_lateness": AGGREGATE.fields["allowed_lateness"],
        "late": _LATE,
        **_ERRORS,
        **_COMMON,
    },
)

_OF_WINDOW = {
    "window": Field(WINDOW, "Windows of event time. Default: none."),
    "key_by": AGGREGATE.fields["key_by"],
    "allowed_lateness": AGGREGATE.fields["allowed_lateness"],
    "late": _LATE,
    **_ERRORS,
}

STEP = Variants(
    "a step",
    {
        "window_apply": WINDOW_APPLY,
        "over": OVER,
        "join": JOIN,
        "asof_join": ASOF_JOIN,
        "lookup": LOOKUP,
        "top": _step(
            "a top", "top", COUNT, "The first rows of each key, and window.", _TOP | _OF_WINDOW
        ),
        "reduce": _step(
            "a reduce",
            "reduce",
            FUNCTION,
            "Two rows (dicts) -> row, in Python, for the rows of each key, and window.",
            {"ttl": _TOP["ttl"]} | _OF_WINDOW,
        ),
        "aggregate": AGGREGATE,
        "window": AGGREGATE,
        "filter": _step("a filter", "filter", SQL, "Rows for which this is true.", _ERRORS),
        "select": _step("a select", "select", _SELECTED, "Only these columns.", _ERRORS),
        "drop": _step("a drop", "drop", one_or_more(COLUMN), "All columns except these.", {}),
        "rename": _step("a rename", "rename", _NAMES, "Old name -> new name.", {}),
        "drop_duplicates": _step(
            "a drop_duplicates",
            "drop_duplicates",
            one_or_more(COLUMN),
            "The same as dedupe.",
            _WITHIN,
        ),
        "dedupe": _step("a dedupe", "dedupe", one_or_more(COLUMN), "One row of each.", _WITHIN),
        "with_columns": _step("new columns", "with_columns", _COLUMNS, "Column -> SQL.", _ERRORS),
        "map": _step("a map", "map", FUNCTION, "Row (dict) -> row, in Python.", _OUTPUT_SCHEMA),
        "flat_map": _step(
            "a flat_map", "flat_map", FUNCTION, "Row (dict) -> rows, in Python.", _OUTPUT_SCHEMA
        ),
        "map_batches": _step(
            "a map_batches",
            "map_batches",
            FUNCTION,
            "Frame -> frame, in Python.",
            {
                "batch_format": Field(_BATCH_FORMAT, "Default: polars."),
                **_OUTPUT_SCHEMA,
            },
        ),
        "inspect": _step(
            "an inspect", "inspect", FUNCTION, "Called with each row, in Python.", _BATCHES
        ),
        "process": _step(
            "a process",
            "process",
            FUNCTION,
            "Class (rs.Process), called with each row of a key.",
            {
                "with": Field(
                    STREAM, "A second stream, with a key: on_left and on_right are called."
                ),
                "broadcast": Field(Truth(), "Its rows go to every subtask. Default: false."),
                "side_outputs": Field(_SIDE_OUTPUTS, "Where ctx.emit(tag, row) goes."),
                **_OUTPUT_SCHEMA,
            },
        ),
        "split": _step(
            "a split",
            "split",
            _BRANCHES,
            "Each row to the first branch whose condition is true; the rest goes on.",
            _ERRORS,
        ),
        "with_event_time": _step(
            "another event time",
            "with_event_time",
            SQL,
            "Column, field within one, or SQL.",
            {
                "event_time_unit": Field(UNIT, "s, ms, us, ns or iso8601. Default: ms."),
                "time_zone": Field(ZONE, "Of event time that is written without one."),
                "watermark": Field(WATERMARK, "How watermarks are made from here on."),
                **_ERRORS,
            },
        ),
        "union": _step("a union", "union", one_or_more(STREAM), "Rows of these steps, too.", {}),
        "key_by": _step(
            "a key",
            "key_by",
            KEYS,
            "Key columns, or column -> SQL; [] removes the key.",
            _ERRORS,
        ),
        **other_verbs(STREAM, _ERRORS, _COMMON),
    },
)
