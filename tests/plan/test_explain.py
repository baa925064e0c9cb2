"""What `explain` prints, as golden text."""

from __future__ import annotations

import raystream as rs
from tests.plan.graphs import KAFKA, reading

TEXT = """\
job: 3 chains, 6 subtasks

chain requests x 2
  requests: read kafka topic requests, event time ts, columns ts Int64, ip String, status Int64
  bad: filter status >= 400
  per-ip-local: partial aggregates

chain dead x 2
  <- forward from requests.errors
  dead: write kafka topic dead

chain per-ip x 2
  <- hash(ip) from per-ip-local
  per-ip: hopping 10m every 1m by ip: n = count, worst = max, of partial aggregates
  share: with share = n / 10.0
  out: write kafka topic out, key ip

fast: requests: 3 of 5 columns are decoded
fast: per-ip-local: aggregated in front of the exchange"""

MERMAID = """\
flowchart LR
  c0["requests x 2<br/>requests<br/>bad<br/>per-ip-local"]
  c1["dead x 2<br/>dead"]
  c2["per-ip x 2<br/>per-ip<br/>share<br/>out"]
  c0 -- "forward.errors" --> c1
  c0 -- "hash(ip)" --> c2"""


def pipeline() -> rs.Pipeline:
    p = rs.Pipeline("job", parallelism=2)
    rows = reading(p, errors="dlq")
    rows.errors.write(KAFKA.topic("dead"), name="dead")
    per_ip = rows.filter("status >= 400", name="bad").key_by("ip")
    effect = per_ip.window(rs.hopping("10m", "1m"), name="per-ip").agg(
        n=rs.count(), worst=rs.max("status")
    )
    effect.with_columns(share="n / 10.0", name="share").write(KAFKA.topic("out"), name="out")
    return p


def test_text() -> None:
    assert pipeline().explain() == TEXT


def test_mermaid() -> None:
    assert pipeline().explain(format="mermaid") == MERMAID


def test_undeclared_columns_are_said_to_be_learnt() -> None:
    p = rs.Pipeline("job")
    p.read(KAFKA.topic("requests"), name="requests").write(KAFKA.topic("out"), name="out")
    assert "event time of the record, columns learnt when it starts" in p.explain()
