"""Pipeline files to start from: `raystream init kafka/kafka [--small]`."""

from __future__ import annotations

from raystream.errors import ConfigurationError
from raystream.graph.nearest import did_you_mean

SOURCES = ("kafka", "files", "datagen")
SINKS = ("kafka", "files")

_KAFKA = '"${BOOTSTRAP_SERVERS:-localhost:9092}"'
_SOURCE = {
    "kafka": "kafka: {bootstrap_servers: " + _KAFKA + ", topic: requests, format: json}",
    "files": "files: {path: requests, format: json}",
    "datagen": "datagen: {rate: 1000, rows: 100000, cardinality: 20}",
}
_SINK = {
    "kafka": "kafka: {bootstrap_servers: " + _KAFKA + ", topic: counts, format: json}",
    "files": "files: {path: counts, format: json}",
}
_MODELINE = (
    "# completion in editors: raystream schema > pipeline.schema.json\n"
    "# yaml-language-server: $schema=pipeline.schema.json\n"
)
_SMALL = """\
name: requests-per-minute
delivery_guarantee: exactly_once
checkpoint: {{interval: 10s}}
source:
  {source}
  event_time: ts{schema}
  watermark: {{out_of_orderness: 10s, idle_timeout: 30s}}
steps:
  - key_by: ip
  - window: {{tumbling: 1m}}
    aggregate: {{count: count()}}
sink:
  {sink}
"""
_SMALL_SCHEMA = "\n  schema: {ts: int, ip: string}"
_FULL = """\
version: 1
name: requests-per-minute
delivery_guarantee: exactly_once        # exactly_once | at_least_once | none
params: {{window: 1m}}                    # ${{param:window}}; raystream run --param window=5m
checkpoint:
  interval: 10s                         # output is committed with each checkpoint
  storage: "${{CHECKPOINT_DIR:-/tmp/raystream-checkpoints}}"
{connections}
sources:
  requests:
    {source}
    schema: {{ts: int not null, ip: string, status: int, path: string}}
    event_time: ts
    watermark: {{out_of_orderness: 10s, idle_timeout: 30s, max_future: 1m}}
    errors: {{policy: dlq, to: dead}}     # fail | skip | dlq

steps:
  - name: no-health-checks
    filter: path not like '/health%'    # SQL over one row
  - name: per-ip
    key_by: ip
    window: {{tumbling: "${{param:window}}"}}
    aggregate:
      count: count()
      bad: count(where status >= 500)
    late: late-rows                     # default: dropped and counted

sinks:
  counts:
    {counts}
  late-rows:
    {late}
  dead:
    {dead}

tests:
  - name: counts one minute
    given:
      requests:
        - {{ts: 1000, ip: a, status: 200, path: /}}
        - {{ts: 2000, ip: a, status: 500, path: /}}
        - {{ts: 3000, ip: a, status: 200, path: /health}}
    expect:
      counts:
        - {{ip: a, window_start: 0, window_end: 60000, count: 2, bad: 1}}
"""
_CONNECTIONS = """
connections:
  main:
    kafka:
      bootstrap_servers: "${BOOTSTRAP_SERVERS:-localhost:9092}"
      # security_protocol: SASL_SSL
      # sasl_mechanism: SCRAM-SHA-256
      # sasl_username: app
      # sasl_password: "${secret:KAFKA}"   # $RAYSTREAM_SECRET_KAFKA, else /run/secrets/KAFKA
"""
_FULL_SOURCE = {
    "kafka": "kafka: {connection: main, topic: requests, group_id: requests-per-minute}",
    "files": "files: {path: requests, format: json, tail: false}",
    "datagen": "datagen: {rate: 1000, rows: 100000, cardinality: 20}",
}


def template(kinds: str, *, small: bool = False) -> str:
    """Text of a pipeline file.

    Args:
        kinds: `SOURCE/SINK`: `kafka/kafka`, `files/kafka`, `datagen/files`.
        small: The smallest form, without comments.

    Raises:
        ConfigurationError: there is no such source or sink.
    """
    source, _, sink = kinds.partition("/")
    for kind, known in ((source, SOURCES), (sink, SINKS)):
        if not kind:
            text = f"{kinds!r} is not SOURCE/SINK"
            raise ConfigurationError(text, what_to_do="for example kafka/kafka")
        if kind not in known:
            text = f"init {kinds}: there is no {kind!r}"
            raise ConfigurationError(text, what_to_do=did_you_mean(kind, known))
    if small:
        schema = _SMALL_SCHEMA if source == "datagen" else ""
        return _SMALL.format(source=_SOURCE[source], sink=_SINK[sink], schema=schema)
    kafka = "kafka" in (source, sink)
    return _MODELINE + _FULL.format(
        connections=_CONNECTIONS if kafka else "",
        source=_FULL_SOURCE[source],
        counts=_full_sink(sink, "counts"),
        late=_full_sink(sink, "counts-late"),
        dead=_full_sink(sink, "counts-dead", "parquet"),
    )


def _full_sink(kind: str, name: str, form: str = "json") -> str:
    if kind == "kafka":
        return f"kafka: {{connection: main, topic: {name}}}"
    return f"files: {{path: {name}, format: {form}}}"  # dead letters are bytes: no JSON
