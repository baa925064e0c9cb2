"""What a pipeline file may say: every field, its shape, its meaning. The one source of truth."""

from __future__ import annotations

import re
from collections.abc import Mapping

from raystream.config.offsets import read_offset
from raystream.config.other_verbs import other_verbs
from raystream.config.shapes import (
    CALLABLE,
    DURATION,
    NAME,
    AnyScalar,
    AnyValue,
    ByKind,
    Field,
    ListOf,
    MapOf,
    Number,
    Record,
    Shape,
    Text,
    Truth,
    Variants,
    Word,
    one_or_more,
)
from raystream.errors import ConfigurationError


def _address(text: str) -> None:
    from raystream.storage.open import refuse_mistyped

    try:
        refuse_mistyped(text)
    except ConfigurationError as error:
        raise ValueError(error.what_to_do) from None


NAMED = Text("a name", NAME, "use 1 to 60 of A-Z a-z 0-9 _ -")
TIME = Text("a duration", DURATION, "for example 10s, 5m, 250ms")
SQL = Text("an SQL expression", numbers=True)
COLUMN = Text("a column name")
ZONE = Text("a time zone", r"[A-Za-z][\w+-]*(?:/[\w+-]+)*", "for example Europe/Berlin")
FUNCTION = Text("a function", CALLABLE, "write package.module:function")
COUNT = Number(least=1)
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


PROTOCOLS = Word(("PLAINTEXT", "SSL", "SASL_PLAINTEXT", "SASL_SSL"))
MECHANISMS = Word(("PLAIN", "SCRAM-SHA-256", "SCRAM-SHA-512", "GSSAPI"))
CREDENTIAL = Text(secret=True)

SECURITY: Mapping[str, Field] = {
    "security_protocol": Field(PROTOCOLS, "How to connect."),
    "sasl_mechanism": Field(MECHANISMS, "How to authenticate."),
    "sasl_username": Field(CREDENTIAL, "User."),
    "sasl_password": Field(CREDENTIAL, 'Password: "${secret:NAME}" or "${file:/path}".'),
    "sasl_kerberos_service_name": Field(CREDENTIAL, "Service name for Kerberos."),
    "ssl_ca_location": Field(CREDENTIAL, "File with the certificates to trust."),
    "ssl_certificate_location": Field(CREDENTIAL, "File with our certificate."),
    "ssl_key_location": Field(CREDENTIAL, "File with our private key."),
    "ssl_key_password": Field(CREDENTIAL, "Password of the private key."),
    "ssl_check_hostname": Field(Truth(), "Whether the name of the broker must fit."),
}

_CLIENT = MapOf(AnyScalar(secret=True), what="a setting of librdkafka")

CONNECTION: Mapping[str, Field] = {
    "bootstrap_servers": Field(one_or_more(Text("an address")), "host:port, or a list of them."),
    **SECURITY,
    "consumer_config": Field(_CLIENT, "Settings passed through to librdkafka's consumer."),
    "producer_config": Field(_CLIENT, "Settings passed through to librdkafka's producer."),
}

FORMAT = ByKind(
    scalar=Word(("json", "raw", "csv")),
    mapping=Record(
        "a format",
        {
            "json": Field(
                Record(
                    "format json",
                    {
                        "timestamps": Field(
                            ByKind(
                                scalar=Word(("iso8601", "s", "ms", "us", "ns")),
                                mapping=MapOf(Text("iso8601 or a pattern"), what="a column name"),
                            ),
                            "How all datetime columns are written, or column -> how its time is.",
                        ),
                        "nan": Field(
                            Word(("null", "fail")), "What NaN and infinities are. Default: null."
                        ),
                    },
                ),
                "JSON objects.",
            ),
            "csv": Field(
                Record(
                    "format csv",
                    {
                        "columns": Field(ListOf(COLUMN), "Names of all fields of a line."),
                        "delimiter": Field(
                            Text("one character", r".", "write one character"), "Between fields."
                        ),
                    },
                ),
                "Lines of fields.",
            ),
        },
        one_of=(("json", "csv"),),
    ),
)

_TOPIC_COMMON: Mapping[str, Field] = {
    "connection": Field(NAMED, "Name of an entry of connections."),
    **CONNECTION,
    "format": Field(FORMAT, "How records are written. Default: json."),
}

_TOPICS = ByKind(
    scalar=Text("a topic"),
    sequence=ListOf(Text("a topic")),
    mapping=Record(
        "a pattern of topics",
        {
            "pattern": Field(
                Text("a regular expression", reads=re.compile), "Fits whole names.", required=True
            )
        },
        example="{pattern: orders-.*}",
    ),
)

SOURCE_KAFKA = Record(
    "a Kafka source",
    {
        "topic": Field(_TOPICS, "Topic, a list of them, or {pattern: orders-.*}.", required=True),
        **_TOPIC_COMMON,
        "group_id": Field(Text(), "Group that positions are published to, for lag tools."),
        "starting_offsets": Field(
            ByKind(
                scalar=Word(("earliest", "latest", "committed")),
                mapping=Record(
                    "a start",
                    {"timestamp": Field(Number(least=0), "Epoch ms.", required=True)},
                ),
            ),
            "Where to start without a checkpoint. Default: earliest.",
        ),
        "metadata": Field(
            ListOf(Word(("key", "timestamp", "headers", "topic", "partition", "offset"))),
            "Columns filled from the record.",
        ),
        "discovery_interval": Field(TIME, "How often to look for new partitions. Default: 60s."),
    },
    one_of=(("connection", "bootstrap_servers"),),
)

SINK_KAFKA = Record(
    "a Kafka sink",
    {
        "topic": Field(Text("a topic"), "Topic.", required=True),
        **_TOPIC_COMMON,
        "key": Field(COLUMN, "Column that becomes the message key. Default: the key columns."),
        "timestamp": Field(COLUMN, "Column with the record timestamp, epoch ms. Default: now."),
        "headers": Field(ListOf(COLUMN), "Columns that become headers, not part of the payload."),
        "delivery_guarantee": Field(GUARANTEE, "Default: that of the pipeline."),
        "transaction_timeout": Field(TIME, "How long a transaction may stay open."),
        "transactional_id_prefix": Field(
            Text(), "In front of transactional ids, for access rules."
        ),
    },
    one_of=(("connection", "bootstrap_servers"),),
)

_FILE_FORMAT = Word(("json", "csv", "parquet"))

SOURCE_FILES = Record(
    "a source of files",
    {
        "path": Field(Text("a path"), "File, directory or glob.", required=True),
        "format": Field(_FILE_FORMAT, "Default: json (one object per line)."),
        "tail": Field(Truth(), "Wait for more when all is read."),
        "discovery_interval": Field(TIME, "How often to look for new files. Default: 60s."),
    },
)

SINK_FILES = Record(
    "a sink of files",
    {
        "path": Field(Text("a path"), "Directory.", required=True),
        "format": Field(_FILE_FORMAT, "Default: json (one object per line)."),
    },
)

DATAGEN = Record(
    "made-up rows",
    {
        "rate": Field(Number(integer=False), "Rows per second."),
        "rows": Field(COUNT, "Rows in total. Default: without end."),
        "seed": Field(Number(), "Another seed, other rows."),
        "partitions": Field(COUNT, "Number of splits."),
        "cardinality": Field(COUNT, "How many different values a column has."),
        "start_ms": Field(Number(), "Event time of the first row, epoch ms."),
    },
)

UNIT = Word(("s", "ms", "us", "ns", "iso8601"))

WATERMARK = Record(
    "a watermark",
    {
        "out_of_orderness": Field(TIME, "How late a row may be. Default: 10s."),
        "idle_timeout": Field(TIME, "An empty split is idle after. Default: 30s."),
        "max_future": Field(TIME, "How far ahead a row may be. Default: 1h."),
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

SOURCE = Record(
    "a source",
    {
        "kafka": Field(SOURCE_KAFKA, "Topic of Kafka."),
        "files": Field(SOURCE_FILES, "JSON lines, CSV or Parquet."),
        "datagen": Field(DATAGEN, "Rows made up from a seed."),
        "schema": Field(SCHEMA, "Column -> type. Default: learnt from the first records."),
        "event_time": Field(
            SQL, "Column, field within one, or SQL. Default: the record's own timestamp."
        ),
        "event_time_unit": Field(UNIT, "s, ms, us, ns or iso8601. Default: ms."),
        "time_zone": Field(ZONE, "Of event time that is written without one."),
        "watermark": Field(WATERMARK, "How watermarks are made."),
        "errors": Field(
            ERRORS,
            "Records that do not decode or fit. Default: fail.",
        ),
        "parallelism": PARALLELISM,
    },
    one_of=(("kafka", "files", "datagen"),),
    example="{kafka: {bootstrap_servers: .., topic: ..}}",
)

SINK = Record(
    "a sink",
    {
        "from": Field(NAMED, "Step or source. Default: the last step."),
        "kafka": Field(SINK_KAFKA, "Topic of Kafka."),
        "files": Field(SINK_FILES, "Directory; files appear whole, when a checkpoint commits."),
        "parallelism": PARALLELISM,
    },
    one_of=(("kafka", "files"),),
    example="{kafka: {bootstrap_servers: .., topic: ..}}",
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
        "offset": Field(OFFSET, "A window starts here: a duration, epoch ms, or a moment."),
        "time_zone": Field(
            ZONE, "Days and hours are those of its clocks: Europe/Berlin. Default: UTC."
        ),
    },
    one_of=(("tumbling", "hopping", "cumulative"),),
    example="{tumbling: 1m}",
)

EMIT = ByKind(
    scalar=Word(("on_close",)),
    mapping=Record("an emission", {"early": Field(TIME, "How often.", required=True)}),
)

_COMMON: Mapping[str, Field] = {
    "name": Field(NAMED, "Identity of the step in checkpoints."),
    "from": Field(NAMED, "Step or source. Default: the step above."),
    "parallelism": PARALLELISM,
}


def _step(what: str, verb: str, shape: Shape, doc: str, more: Mapping[str, Field]) -> Record:
    return Record(what, {verb: Field(shape, doc, required=True), **more, **_COMMON})


_COLUMNS = MapOf(SQL, what="a column name")

_ERRORS = {"errors": Field(ERRORS, "Rows that cannot be computed. Default: fail.")}

_WITHIN = {"within": Field(TIME, "How far behind a row is a duplicate. Default: for ever.")}

_OUTPUT_SCHEMA = {"schema": Field(SCHEMA, "Columns of the new rows."), **_ERRORS}

AGGREGATE = Record(
    "an aggregation",
    {
        "aggregate": Field(
            MapOf(Text("an aggregate"), what="a column name"),
            "Output column -> count(), sum(x), min, max, mean, first, last; sum(x where y > 1).",
            required=True,
        ),
        "window": Field(WINDOW, "Windows of event time.", required=True),
        "key_by": Field(
            KEYS, "Key columns, [] for none. Default: those of a key_by step or aggregate above."
        ),
        "having": Field(SQL, "Only result rows for which this is true."),
        "emit": Field(EMIT, "on_close, or {early: 10s}: also open windows, with final = false."),
        "allowed_lateness": Field(TIME, "How long a window still takes late rows. Default: 0s."),
        "late": Field(NAMED, "Sink for late rows. Default: dropped and counted."),
        **_ERRORS,
        **_COMMON,
    },
)


STEP = Variants(
    "a step",
    {
        "aggregate": AGGREGATE,
        "window": AGGREGATE,
        "filter": _step("a filter", "filter", SQL, "Rows for which this is true.", _ERRORS),
        "select": _step("a select", "select", one_or_more(COLUMN), "Only these columns.", _ERRORS),
        "drop": _step("a drop", "drop", one_or_more(COLUMN), "All columns except these.", {}),
        "dedupe": _step("a dedupe", "dedupe", one_or_more(COLUMN), "First row of each.", _WITHIN),
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
                "batch_format": Field(Word(("polars", "pandas", "pyarrow")), "Default: polars."),
                **_OUTPUT_SCHEMA,
            },
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
        "union": _step("a union", "union", one_or_more(NAMED), "Rows of these steps, too.", {}),
        "key_by": _step(
            "a key",
            "key_by",
            KEYS,
            "Key columns, or column -> SQL; [] removes the key.",
            _ERRORS,
        ),
        **other_verbs(NAMED, _ERRORS, _COMMON),
    },
)

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
            Record("resources", {"parallelism": Field(COUNT, "Subtasks of each chain.")}),
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
