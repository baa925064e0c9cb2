"""Fields that several parts of a pipeline file have: names, durations, columns, policies."""

from __future__ import annotations

from raystream.config.shapes import (
    CALLABLE,
    DURATION,
    NAME,
    ByKind,
    Field,
    MapOf,
    Number,
    Record,
    Text,
    Word,
)

NAMED = Text("a name", NAME, "use 1 to 60 of A-Z a-z 0-9 _ -")
STREAM = Text("a name", rf"{NAME}(?:\.\S{{1,60}})?", "write the name of a step, or STEP.TAG")
TIME = Text("a duration", DURATION, "for example 10s, 5m, 250ms")
SQL = Text("an SQL expression", numbers=True)
COLUMN = Text("a column name")
ZONE = Text("a time zone", r"[A-Za-z][\w+-]*(?:/[\w+-]+)*", "for example Europe/Berlin")
FUNCTION = Text("a function", CALLABLE, "write package.module:function")
COUNT = Number(least=1)
SIZE = Text("a size", r" *[0-9]+ *(?:B|KiB|MiB|GiB)?", "for example 64MiB, 1GiB", numbers=True)
GUARANTEE = Word(("at_least_once", "exactly_once", "none"))
COLUMN_TYPE = Text(
    "a type",
    r"(?:int|float|string|bool|binary|bytes|timestamp_(?:s|ms|us|ns)|iso8601|date|time|datetime|timestamp|duration"
    r"|(?:decimal|numeric) ?\( ?[0-9]{1,2} ?(?:, ?[0-9]{1,2} ?)?\))(?: not null)?",
    "write int, float, decimal(18,2), string, bool, binary, date, time, datetime, timestamp, "
    "duration, timestamp_s, timestamp_ms, timestamp_us, timestamp_ns or iso8601, "
    "perhaps with ' not null' behind",
)
SCHEMA = MapOf(COLUMN_TYPE, what="a column name")
PARALLELISM = Field(COUNT, "Subtasks of this step. Default: as the step above.")


UNIT = Word(("s", "ms", "us", "ns", "iso8601"))

WATERMARK = Record(
    "a watermark",
    {
        "out_of_orderness": Field(TIME, "How late a row may be. Default: 10s."),
        "idle_timeout": Field(TIME, "An empty split is idle after. Default: 30s."),
        "max_future": Field(TIME, "How far ahead a row may be. Default: 1h."),
        "align": Field(
            Record(
                "an alignment",
                {
                    "group": Field(NAMED, "The sources that are read together.", required=True),
                    "max_drift": Field(TIME, "How far a split may be ahead. Default: 5m."),
                },
                example="{group: web, max_drift: 1m}",
            ),
            "Sources of a group wait for one another.",
        ),
    },
    example="{out_of_orderness: 10s}",
)

POLICY = Word(("fail", "skip", "dlq"))

ERRORS = ByKind(
    scalar=Word(("fail", "skip")),
    mapping=Record(
        "an error policy",
        {
            "policy": Field(POLICY, "fail, skip or dlq.", required=True),
            "to": Field(NAMED, "Sink for dlq."),
        },
    ),
)
