"""What a pipeline file may say: every field, its shape, its meaning. The one source of truth.

Sources and sinks stand in end_forms.py, steps in step_forms.py.
"""

from __future__ import annotations

from raystream.config.end_forms import CONNECTION, SINK, SOURCE
from raystream.config.fields import COUNT, GUARANTEE, NAMED, SIZE, TIME
from raystream.config.shapes import (
    NAME,
    AnyScalar,
    AnyValue,
    ByKind,
    Field,
    ListOf,
    MapOf,
    Number,
    Record,
    Text,
    one_or_more,
)
from raystream.config.step_forms import STEP
from raystream.errors import ConfigurationError


def _address(text: str) -> None:
    from raystream.storage.open import refuse_mistyped

    try:
        refuse_mistyped(text)
    except ConfigurationError as error:
        raise ValueError(error.what_to_do) from None


_ROWS = MapOf(
    ByKind(sequence=ListOf(MapOf(AnyValue(), what="a column name"), least=0)),
    NAME,
    "a source or sink",
)

TEST = Record(
    "a test",
    {
        "name": Field(Text(), "What it shows.", required=True),
        "params": Field(MapOf(AnyScalar(), NAME, "a name"), "Instead of those of the file."),
        "given": Field(_ROWS, "Rows per source.", required=True),
        "expect": Field(_ROWS, "Rows per sink; only the fields that are named are compared."),
    },
)

PIPELINE = Record(
    "a pipeline",
    {
        "version": Field(Number(least=1, most=1), "Of this language: 1."),
        "name": Field(NAMED, "Identity of the job in storage and transactions.", required=True),
        "include": Field(one_or_more(Text("a path")), "Files merged below this one."),
        "params": Field(MapOf(AnyScalar(), NAME, "a name"), "Defaults of ${param:NAME}."),
        "delivery_guarantee": Field(GUARANTEE, "Default: exactly_once."),
        "checkpoint": Field(
            Record(
                "checkpointing",
                {
                    "interval": Field(TIME, "Output is committed with each. Default: 10s."),
                    "timeout": Field(TIME, "One that takes longer fails. Default: 5m."),
                    "min_pause": Field(TIME, "Least time between two. Default: 0s."),
                    "storage": Field(
                        Text("an address", reads=_address), "Directory or s3://, gs://, az:// URL."
                    ),
                },
                example="{interval: 10s}",
            ),
            "When and where state is kept.",
        ),
        "resources": Field(
            Record(
                "resources",
                {
                    "parallelism": Field(COUNT, "Subtasks of each chain."),
                    "state_memory": Field(
                        SIZE, "Memory for the state of each subtask. Default: a share of the node."
                    ),
                    "state_directory": Field(
                        Text("a directory", reads=_address),
                        "Local disk for the state above it. Default: in $TMPDIR.",
                    ),
                },
            ),
            "What the job takes.",
        ),
        "connections": Field(
            MapOf(
                Record(
                    "a connection",
                    {
                        "kafka": Field(
                            Record(
                                "a Kafka connection",
                                {
                                    **CONNECTION,
                                    "bootstrap_servers": Field(
                                        CONNECTION["bootstrap_servers"].shape,
                                        CONNECTION["bootstrap_servers"].doc,
                                        required=True,
                                    ),
                                },
                            ),
                            "A Kafka cluster.",
                            required=True,
                        )
                    },
                ),
                NAME,
                "a name",
            ),
            "Clusters by name.",
        ),
        "source": Field(SOURCE, "The only source."),
        "sources": Field(MapOf(SOURCE, NAME, "a name"), "Sources by name."),
        "steps": Field(ListOf(STEP), "What happens to the rows, in order."),
        "sink": Field(SINK, "The only sink."),
        "sinks": Field(MapOf(SINK, NAME, "a name"), "Sinks by name."),
        "tests": Field(ListOf(TEST), "Rows in, rows out; for `raystream test`."),
    },
    one_of=(("source", "sources"), ("sink", "sinks")),
)
