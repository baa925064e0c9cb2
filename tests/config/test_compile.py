"""A file is the same Pipeline as its Python: the twins of the mission, and Python made of it."""

from __future__ import annotations

import re
import runpy
from pathlib import Path
from typing import Any

import pytest

from raystream.api.pipeline import Pipeline
from raystream.config.load import Loading, load
from raystream.config.place import InvalidFile
from raystream.config.to_python import to_python
from raystream.graph.policies import Early
from raystream.graph.windows import Cumulative, Tumbling
from tests.config.corpus import CANARY, CONFIGS, LOADING, files
from tests.steps import (
    Dedupe,
    Inspect,
    Process,
    Read,
    Rename,
    Select,
    WindowAggregate,
    WithEventTime,
    Write,
)

PIPELINES = CONFIGS.parent / "pipelines"
JOBS = ["requests_per_minute", "order_totals", "campaign_effect"]
SMALLEST = """\
name: requests-per-minute
delivery_guarantee: exactly_once
checkpoint: {interval: 10s}
source:
  kafka: {bootstrap_servers: kafka:9092, topic: requests, format: json}
  event_time: ts
  watermark: {out_of_orderness: 10s, idle_timeout: 30s}
steps:
  - key_by: ip
  - window: {tumbling: 1m}
    aggregate: {count: count()}
sink:
  kafka: {bootstrap_servers: kafka:9092, topic: counts, format: json}
"""


def meaning(pipeline: Pipeline) -> Any:
    """All steps by name: what they do and what they read; not the line they are written on."""
    graph = pipeline.graph()
    names = {node.id: node.name for node in graph.nodes}
    steps = {
        node.name: (
            node.step,
            [(names[edge.source], edge.tag) for edge in node.inputs],
            node.parallelism,
            node.named,
        )
        for node in graph.nodes
    }
    return graph.name, pipeline.settings, steps


@pytest.mark.parametrize("job", JOBS)
@pytest.mark.parametrize("start", ["", "1700000123000"])
def test_it_is_the_same_as_its_python_twin(
    job: str, start: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    if start:
        monkeypatch.setenv("SALE_START_MS", start)
    python: Pipeline = runpy.run_path(str(PIPELINES / f"{job}.py"))["p"]
    assert meaning(load(str(CONFIGS / f"{job}.yaml")).pipeline) == meaning(python)


def test_the_smallest_form_is_word_for_word_that_of_the_manual() -> None:
    assert (CONFIGS / "requests_per_minute.yaml").read_text() == SMALLEST
    assert SMALLEST.count("\n") == 13


@pytest.mark.parametrize(
    "path", [*files("good"), *(CONFIGS / f"{job}.yaml" for job in JOBS)], ids=lambda p: p.stem
)
def test_python_made_of_a_file_builds_the_same(path: Path) -> None:
    pipeline = load(str(path), LOADING).pipeline
    text = to_python(pipeline)
    module: dict[str, Any] = {"__name__": "made"}
    exec(text, module)
    made, wanted = meaning(module["p"]), meaning(pipeline)
    assert made[:2] == wanted[:2]
    assert made[2].keys() == wanted[2].keys()
    for name, step in wanted[2].items():
        assert without_secrets(made[2][name]) == without_secrets(step), name


def without_secrets(step: Any) -> str:
    """Python has references where the file has what they lead to; neither shows it."""
    return repr(step).replace("'env:RAYSTREAM_SECRET_CANARY'", "'***'")


def test_steps_know_where_they_were_written() -> None:
    pipeline = load(str(CONFIGS / "order_totals.yaml")).pipeline
    lines = (CONFIGS / "order_totals.yaml").read_text().splitlines()
    for node in pipeline.graph().nodes:
        assert node.origin.file.endswith("order_totals.yaml")
        if node.named and not isinstance(node.step, Write):
            around = "\n".join(lines[node.origin.line - 2 : node.origin.line])
            assert node.name in around


def steps(tmp_path: Path, text: str, sink: str = "") -> list[Any]:
    path = tmp_path / "job.yaml"
    path.write_text(
        "name: job\n"
        "sources: {in: {kafka: {bootstrap_servers: 'k:9092', topic: t}, event_time: ts,"
        " schema: {ts: int, ip: string, n: int}}}\n"
        f"{text}\n"
        "sinks: {out: {kafka: {bootstrap_servers: 'k:9092', topic: out}"
        f"{sink}}}}}\n"
    )
    return [node.step for node in load(str(path)).pipeline.graph().nodes]


@pytest.mark.parametrize(
    ("offset", "ms"),
    [("30s", 30_000), ("1700000030000", 50_000), ("2023-11-14T22:13:50Z", 50_000)]
    + [("2023-11-14T23:13:50+01:00", 50_000)],
)
def test_offsets_of_windows(tmp_path: Path, offset: str, ms: int) -> None:
    text = f"steps: [{{window: {{tumbling: 1m, offset: {offset!r}}}, aggregate: {{n: count()}}}}]"
    aggregate = next(s for s in steps(tmp_path, text) if isinstance(s, WindowAggregate))
    assert aggregate.window == Tumbling(60_000, ms)


def test_the_whole_aggregation(tmp_path: Path) -> None:
    text = """\
steps:
  - name: per
    key_by: {who: lower(ip)}
    window: {cumulative: {max_size: 1h, step: 1m}}
    emit: {early: 2s}
    allowed_lateness: 5s
    aggregate: {n: count(), most: max(n where ip <> 'a where b')}
    having: n > 1
"""
    _, key, window, having, _ = steps(tmp_path, text)
    assert key.computed == {"who": "lower(ip)"}
    assert (window.window, window.emit) == (Cumulative(3_600_000, 60_000), Early(2000))
    assert window.allowed_lateness_ms == 5000
    assert window.aggregates["most"].where == "ip <> 'a where b'"
    assert having.condition == "n > 1"


WINDOW = "window: {tumbling: 1m}, aggregate: {n: count()}"


@pytest.mark.parametrize("text", ["{key_by: []}, {WINDOW}", "{key_by: [], WINDOW}"])
def test_no_key_columns_take_the_key_off(tmp_path: Path, text: str) -> None:
    text = f"steps: [{{key_by: ip}}, {{{WINDOW}}}, {text.replace('WINDOW', WINDOW)}]"
    first, second = (s for s in steps(tmp_path, text) if isinstance(s, WindowAggregate))
    assert (first.keys, second.keys) == (("ip",), ())
    assert ".key_by()" in to_python(load(str(tmp_path / "job.yaml")).pipeline)


def test_functions_beside_the_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sys.path", [*__import__("sys").path])
    (tmp_path / "beside_the_file.py").write_text(
        "def double(row):\n    return {'n': row['n'] * 2}\n"
    )
    text = "steps: [{map: 'beside_the_file:double', schema: {n: int}}]"
    _, mapped, _ = steps(tmp_path, text)
    assert mapped.function({"n": 2}) == {"n": 4}


def test_parameters(tmp_path: Path) -> None:
    path = tmp_path / "job.yaml"
    path.write_text(SMALLEST.replace("1m", "'${param:size}'") + "params: {size: 1m}\n")

    def size(loading: Loading) -> int:
        nodes = load(str(path), loading).pipeline.graph().nodes
        return next(n.step.window.size_ms for n in nodes if isinstance(n.step, WindowAggregate))

    assert size(Loading()) == 60_000
    assert size(Loading({"size": "5m"})) == 300_000


def test_parameters_may_be_variables_but_no_secrets(tmp_path: Path) -> None:
    path = tmp_path / "job.yaml"
    small = SMALLEST.replace("topic: requests", "topic: '${param:topic}'")
    path.write_text(small + "params: {topic: '${REGION:-eu}-requests'}\n")
    assert (
        "kafka topic us-requests"
        in load(str(path), Loading({}, {"REGION": "us"})).pipeline.explain()
    )
    path.write_text(small + "params: {topic: '${secret:CANARY}'}\n")
    with pytest.raises(InvalidFile) as caught:
        load(str(path), LOADING)
    assert "a secret is allowed only in" in str(caught.value)
    assert CANARY not in str(caught.value)


def test_topics_by_pattern(tmp_path: Path) -> None:
    path = tmp_path / "job.yaml"
    path.write_text(SMALLEST.replace("topic: requests", 'topic: {pattern: "orders-.*"}'))
    loaded = load(str(path))
    (read,) = [n.step for n in loaded.pipeline.graph().nodes if n.step.source is not None]
    assert read.source.pattern.regex == "orders-.*"
    assert 'rs.pattern("orders-.*")' in to_python(loaded.pipeline)


def test_headers_of_a_sink(tmp_path: Path) -> None:
    path = tmp_path / "job.yaml"
    path.write_text(SMALLEST.replace("topic: counts,", "topic: counts, headers: [ip],"))
    loaded = load(str(path))
    (write,) = [n.step for n in loaded.pipeline.graph().nodes if isinstance(n.step, Write)]
    assert write.sink.headers == ("ip",)  # type: ignore[attr-defined]
    assert 'headers=["ip"]' in to_python(loaded.pipeline)


def test_windows_by_the_clocks_of_a_zone(tmp_path: Path) -> None:
    windows = [
        "{tumbling: 7d, offset: 4d, time_zone: Europe/Berlin}",
        "{hopping: {size: 7d, slide: 1d}, time_zone: Asia/Kathmandu}",
        "{cumulative: {max_size: 1d, step: 1h}, time_zone: America/New_York}",
    ]
    steps = "".join(
        f"  - {{from: rows, name: w{n}, window: {w}, aggregate: {{n: count()}}}}\n"
        for n, w in enumerate(windows)
    )
    sinks = "".join(f"  s{n}: {{from: w{n}, files: {{path: out{n}}}}}\n" for n in range(3))
    source = "sources: {rows: {files: {path: in}, event_time: ts}}\n"
    path = tmp_path / "zones.yaml"
    path.write_text(f"name: zones\n{source}steps:\n{steps}sinks:\n{sinks}")
    pipeline = load(str(path), LOADING).pipeline
    found = [n.step.window for n in pipeline.graph().nodes if isinstance(n.step, WindowAggregate)]
    assert [w.time_zone for w in found] == ["Europe/Berlin", "Asia/Kathmandu", "America/New_York"]
    assert found[0] == Tumbling(7 * 86_400_000, 4 * 86_400_000, "Europe/Berlin")
    script = tmp_path / "twin.py"
    script.write_text(to_python(pipeline))
    assert meaning(runpy.run_path(str(script))["p"]) == meaning(pipeline)


@pytest.mark.parametrize(
    ("window", "message"),
    [
        ("{tumbling: 200000000000d}", "longer than the 9999 years"),
        ("{tumbling: 0s}", "must be more than 0"),
        ("{hopping: {size: 1d, slide: 7h}}", "is not a multiple of slide"),
        ("{tumbling: 1d, time_zone: Europe/Berln}", "is it Europe/Berlin?"),
        ("{tumbling: 1d, offset: 999999999999d}", "longer than the 9999 years"),
    ],
)
def test_a_window_that_can_not_be_is_refused(window: str, message: str, tmp_path: Path) -> None:
    path = tmp_path / "bad.yaml"
    path.write_text(
        "name: bad\nsource: {files: {path: in}, event_time: ts}\n"
        f"steps: [{{window: {window}, aggregate: {{n: count()}}}}]\n"
        "sink: {files: {path: out}}\n"
    )
    with pytest.raises(InvalidFile, match=re.escape(message)):
        load(str(path), LOADING)


def test_event_time_in_other_units_and_given_later(tmp_path: Path) -> None:
    path = tmp_path / "times.yaml"
    path.write_text("""\
name: times
source:
  files: {path: in}
  event_time: meta.at
  event_time_unit: iso8601
  time_zone: Europe/Berlin
steps:
  - with_event_time: shipped
    event_time_unit: s
    watermark: {out_of_orderness: 1h}
    errors: skip
sink: {files: {path: out}}
""")
    pipeline = load(str(path), LOADING).pipeline
    read, later, _ = (node.step for node in pipeline.graph().nodes)
    assert isinstance(read, Read)
    assert (read.event_time, read.event_time_unit) == ("meta.at", "iso8601")
    assert read.time_zone == "Europe/Berlin"
    assert isinstance(later, WithEventTime)
    assert (later.event_time, later.event_time_unit, later.errors) == ("shipped", "s", "skip")
    assert later.watermark.out_of_orderness_ms == 3_600_000
    script = tmp_path / "twin.py"
    script.write_text(to_python(pipeline))
    assert meaning(runpy.run_path(str(script))["p"]) == meaning(pipeline)


def test_process_is_a_step_with_side_outputs(tmp_path: Path) -> None:
    (tmp_path / "idle_job.py").write_text("""
import raystream as rs

class Idle(rs.Process):
    n: rs.Value[int]
    def on_row(self, row, ctx):
        ctx.emit("odd", {"k": ctx.key})
        return row

made = Idle()

class Needs(rs.Process):
    def __init__(self, n):
        self.n = n
""")
    path = tmp_path / "job.yaml"
    text = """
version: 1
name: idle
source:
  files: {path: in}
  schema: {k: string, n: int}
steps:
  - key_by: k
  - process: idle_job:Idle
    schema: {k: string, n: int}
    errors: skip
    side_outputs: {odd: {to: odd, schema: {k: string}}, same: same}
  - process: idle_job:made
sinks:
  out: {files: {path: out}}
  odd: {files: {path: odd}}
  same: {files: {path: same}}
"""
    path.write_text(text)
    pipeline = load(str(path), LOADING).pipeline
    first, second = (n.step for n in pipeline.graph().nodes if n.step.word == "process")
    assert isinstance(first, Process)
    assert (first.words(), first.keys, first.errors) == ("process Idle by k", ("k",), "skip")
    assert first.tags() == ("odd", "same")
    assert second.words() == "process Idle by k"
    script = tmp_path / "twin.py"
    script.write_text(to_python(pipeline))
    assert ".process(idle_job.Idle(), " in re.sub(r"\(\s+", "(", script.read_text()).replace(
        "\n", " "
    )
    path.write_text(text.replace("idle_job:Idle", "idle_job:made"))
    pipeline = load(str(path), LOADING).pipeline
    script.write_text(to_python(pipeline))
    assert meaning(runpy.run_path(str(script))["p"]) == meaning(pipeline)
    for wrong, said in [
        ("idle_job:Needs", "idle_job:Needs cannot be made: TypeError"),
        ("json:loads", "json:loads is no subclass of rs.Process"),
        ("idle_job:Idl", "did you mean 'Idle'?"),
    ]:
        path.write_text(text.replace("idle_job:made", wrong))
        with pytest.raises(InvalidFile) as caught:
            load(str(path), LOADING)
        assert said in str(caught.value)
    path.write_text(text.replace("same: same}", "same: sam}"))
    with pytest.raises(InvalidFile, match="there is no sink 'sam'; did you mean 'same'?"):
        load(str(path), LOADING)


def test_select_computes_columns(tmp_path: Path) -> None:
    path = tmp_path / "job.yaml"
    path.write_text("""
version: 1
name: orders
source:
  files: {path: in}
  schema: {order: int, price: int, quantity: int}
steps:
  - select: [order, {total: price * quantity, name: upper('x')}]
  - select: {order: order, twice: total * 2}
  - select: order
  - rename: {order: name}
  - inspect: builtins:print
    batch_format: polars
sink: {files: {path: out}}
""")
    pipeline = load(str(path), LOADING).pipeline
    _, first, second, third, fourth, fifth, _ = (node.step for node in pipeline.graph().nodes)
    new = {"total": "price * quantity", "name": "upper('x')"}
    assert first == Select(("order",), computed=new)
    assert second == Select((), computed={"order": "order", "twice": "total * 2"})
    assert third == Select(("order",))
    assert fourth == Rename({"order": "name"})
    assert fifth == Inspect(print, "polars")
    script = tmp_path / "twin.py"
    script.write_text(to_python(pipeline))
    assert meaning(runpy.run_path(str(script))["p"]) == meaning(pipeline)


@pytest.mark.parametrize(
    ("columns", "message"),
    [
        ("[shop, {total: price * prise}]", "job.yaml:6:36: steps[0].select[1].total: no column"),
        ("[shop, {shop: price + 1}]", "there are two columns 'shop'; give one of them another"),
    ],
)
def test_a_mistake_in_a_computed_column_has_its_place(
    columns: str, message: str, tmp_path: Path
) -> None:
    path = tmp_path / "job.yaml"
    path.write_text(f"""
version: 1
name: orders
source: {{files: {{path: in}}, schema: {{shop: int, price: int}}}}
steps:
  - select: {columns}
sink: {{files: {{path: out}}}}
""")
    with pytest.raises(InvalidFile) as error:
        load(str(path), LOADING)
    assert message in str(error.value)


def test_dedupe_is_a_step(tmp_path: Path) -> None:
    path = tmp_path / "job.yaml"
    path.write_text("""
version: 1
name: orders
source: {files: {path: in}}
steps:
  - dedupe: [order, shop]
    within: 1h
  - dedupe: shop
sink: {files: {path: out}}
""")
    pipeline = load(str(path), LOADING).pipeline
    _, first, second, _ = (node.step for node in pipeline.graph().nodes)
    assert first == Dedupe(("order", "shop"), 3_600_000)
    assert second == Dedupe(("shop",))


def test_an_aggregate_without_a_window_gives_changes(tmp_path: Path) -> None:
    text = """
version: 1
name: shops
source: {files: {path: in}, schema: {shop: string, amount: int}}
steps:
  - key_by: shop
    aggregate: {orders: count(), total: sum(amount)}
    having: total > 10
    ttl: 30d
sink: {files: {path: out}, changes: log}
"""
    path = tmp_path / "job.yaml"
    path.write_text(text)
    pipeline = load(str(path), LOADING).pipeline
    step = next(n.step for n in pipeline.graph().nodes if n.step.word == "group_aggregate")
    assert (step.keys, list(step.aggregates)) == (("shop",), ["orders", "total"])
    assert step.ttl_ms == 30 * 86_400_000
    written = next(node.step for node in pipeline.graph().nodes if node.step.sink is not None)
    assert written.written == "log"
    python = to_python(pipeline)
    assert '.aggregate(orders=rs.count(), total=rs.sum("amount"), ttl="30d")' in python
    assert 'changes="log"' in python


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("changes: log", "parallelism: 1", 'these rows change earlier ones; write changes="log"'),
        ("ttl: 30d", "emit: on_close", "emit needs a window; leave it out"),
        ("ttl: 30d", "ttl: 30d\n    window: {tumbling: 1m}", "ttl is for an aggregate without a"),
    ],
)
def test_options_of_an_aggregate_fit_its_window(
    old: str, new: str, message: str, tmp_path: Path
) -> None:
    path = tmp_path / "job.yaml"
    path.write_text(
        """
version: 1
name: shops
source: {files: {path: in}, schema: {shop: string, amount: int}}
steps:
  - key_by: shop
    aggregate: {orders: count()}
    ttl: 30d
sinks: {sink: {files: {path: out}, changes: log}}
""".replace(old, new)
    )
    with pytest.raises(InvalidFile) as error:
        load(str(path), LOADING)
    assert message in str(error.value)
