"""What a pipeline file may say about sources and sinks."""

from __future__ import annotations

import re
from collections.abc import Mapping

from raystream.config.dataclass_forms import forms_of
from raystream.config.fields import (
    COLUMN,
    COUNT,
    ERRORS,
    GUARANTEE,
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
from raystream.config.shapes import (
    AnyScalar,
    ByKind,
    Field,
    ListOf,
    MapOf,
    Number,
    Record,
    Text,
    Truth,
    Word,
    one_or_more,
)
from raystream.connectors.kafka.source import KEY_FORMATS
from raystream.connectors.registry import SINKS, SOURCES, other_sinks, other_sources
from raystream.data.changes import ReadChanges
from raystream.formats.registry import OURS as OUR_FORMATS
from raystream.formats.registry import other_formats

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
    scalar=Word((*OUR_FORMATS, *other_formats())),
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
            **forms_of("format", other_formats()),
        },
        one_of=(("json", "csv", *other_formats()),),
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
        "key_format": Field(Word(KEY_FORMATS), "How keys of changes are written. Default: text."),
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
        "partition_by": Field(
            one_or_more(COLUMN), "Columns whose values name directories: dt=2026-11-28/hour=10."
        ),
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

SOURCE = Record(
    "a source",
    {
        "kafka": Field(SOURCE_KAFKA, "Topic of Kafka."),
        "files": Field(SOURCE_FILES, "JSON lines, CSV or Parquet."),
        "datagen": Field(DATAGEN, "Rows made up from a seed."),
        **forms_of("source", other_sources()),
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
        "changes": Field(
            Word(tuple(ReadChanges)),
            "Records change rows of a table: set or remove the row of a key, or say how in words.",
        ),
        "key": Field(one_or_more(COLUMN), "With changes: columns that identify a row."),
        "parallelism": PARALLELISM,
    },
    one_of=((*SOURCES, *other_sources()),),
    example="{kafka: {bootstrap_servers: .., topic: ..}}",
)

SINK = Record(
    "a sink",
    {
        "from": Field(STREAM, "Step or source. Default: the last step."),
        "kafka": Field(SINK_KAFKA, "Topic of Kafka."),
        "files": Field(SINK_FILES, "Directory; files appear whole, when a checkpoint commits."),
        **forms_of("sink", other_sinks()),
        "changes": Field(
            Word(("upsert", "log")),
            "Rows that change earlier ones: the last of each key, or all with a column op.",
        ),
        "parallelism": PARALLELISM,
    },
    one_of=((*SINKS, *other_sinks()),),
    example="{kafka: {bootstrap_servers: .., topic: ..}}",
)
