"""Names inside a pipeline file: steps, sinks, connections that others refer to exist, once."""

from __future__ import annotations

from collections.abc import Iterable

from raystream.config.check import Value, below
from raystream.config.place import Place, Problems
from raystream.config.yaml import Mapping as MappingNode
from raystream.graph.nearest import did_you_mean

_OTHERS = ("union", "with", "join", "asof_join", "lookup")
"""Fields with names of further inputs."""

SMALL = {"sources": "source", "sinks": "sink"}


def named(document: Value, kind: str) -> dict[str, Value]:
    """Sources or sinks by name; the only one of the small form is called `source`, `sink`.

    Args:
        document: As checked.
        kind: `sources` or `sinks`.
    """
    small, full = document.get(SMALL[kind]), document.get(kind)
    found = dict(full.data) if full is not None else {}
    return {**found, **({SMALL[kind]: small} if small is not None else {})}


def side_sinks(document: Value) -> dict[str, Value]:
    """Sinks that take late rows, dead letters or side outputs, with the place that says so."""
    steps = document.get("steps")
    late = [step.get("late") for step in steps.data] if steps is not None else []
    dead = [policy.get("to") for policy in _policies(document)]
    sides = [
        sink for step in (steps.data if steps is not None else []) for _, sink in side_outputs(step)
    ]
    return {value.data: value for value in [*late, *dead, *sides] if value is not None}


def side_outputs(step: Value) -> list[tuple[str, Value]]:
    """The side outputs of a process, or the branches of a split, that have a sink; and the sink."""
    outputs = _outputs(step)
    sinks = {n: v.get("to") if isinstance(v.data, dict) else v for n, v in outputs.items()}
    return [(name, sink) for name, sink in sinks.items() if sink is not None]


def tagged(step: Value) -> dict[str, str]:
    """How further steps name the side outputs or branches of a step: `STEP.TAG`, and the tag."""
    name = step.get("name")
    return {} if name is None else {f"{name.data}.{tag}": tag for tag in _outputs(step)}


def _outputs(step: Value) -> dict[str, Value]:
    outputs = step.get("side_outputs") or step.get("split")
    return {} if outputs is None else dict(outputs.data)


def _policies(document: Value) -> list[Value]:
    """Every `errors:` of sources and steps that is a map."""
    steps = document.get("steps")
    every = [*named(document, "sources").values(), *(steps.data if steps is not None else [])]
    errors = [each.get("errors") for each in every]
    return [e for e in errors if e is not None and isinstance(e.data, dict)]


def check_references(document: Value, problems: Problems) -> None:
    """Note every name that is unknown, or there twice.

    Args:
        document: As checked against the model.
        problems: Takes them.
    """
    _twice(document, problems)
    _from(document, problems)
    _side_sinks(document, problems)
    _connections(document, problems)
    _tests(document, problems)


def _twice(document: Value, problems: Problems) -> None:
    """Names are the identity of steps in checkpoints, sources and sinks among them."""
    seen: dict[str, Place] = {}
    for name, place, path in _all_names(document):
        if name in seen:
            text = f"the name {name!r} is taken, on line {seen[name].line}"
            problems.add(place, path, f"{text}; names are unique over sources, steps and sinks")
        seen.setdefault(name, place)


def _all_names(document: Value) -> Iterable[tuple[str, Place, str]]:
    for kind in ("sources", "sinks"):
        group = document.get(kind)
        if group is not None and isinstance(group.node, MappingNode):
            for key, _ in group.node.items:
                yield key.text, key.place, below(kind, key.text)
    steps = document.get("steps")
    for step in steps.data if steps is not None else []:
        name = step.get("name")
        if name is not None:
            yield name.data, name.place, name.path


def _from(document: Value, problems: Problems) -> None:
    known = [name for name in named(document, "sources") if name != "source"]
    steps = document.get("steps")
    every = steps.data if steps is not None else []
    named_ = [step for step in every if step.get("name") is not None]
    later = [name for step in named_ for name in (step["name"].data, *tagged(step))]
    for number, step in enumerate(every):
        others = next((step[v] for v in _OTHERS if step.get(v) is not None), None)
        for value in [step.get("from"), *(others.many() if others is not None else [])]:
            _known(value, known, later, problems)
        if number == 0 and step.get("from") is None and len(known) > 1:
            text = f"the first step needs from: one of {', '.join(known)}"
            problems.add(step.place, step.path, text)
        name = step.get("name")
        known = [*known, name.data, *tagged(step)] if name is not None else known
    side = side_sinks(document)
    for name, sink in named(document, "sinks").items():
        _known(sink.get("from"), known, later, problems)
        if not every and len(known) > 1 and sink.get("from") is None and name not in side:
            text = f"without steps it needs from: one of {', '.join(known)}"
            problems.add(sink.place, sink.path, text)


def _known(value: Value | None, known: list[str], later: list[str], problems: Problems) -> None:
    if value is None or value.data in known:
        return
    if value.data in later:
        text = f"step {value.data!r} is not above; a step reads from one above it"
    else:
        advice = did_you_mean(value.data, known) if known else "no step or source has a name"
        text = f"there is no step or source {value.data!r}; {advice}"
    problems.add(value.place, value.path, text)


def _side_sinks(document: Value, problems: Problems) -> None:
    sinks = named(document, "sinks")
    for name, value in side_sinks(document).items():
        if name not in sinks or name == "sink":
            known = [other for other in sinks if other != "sink"]
            advice = did_you_mean(name, known) if known else "write it under sinks:"
            problems.add(value.place, value.path, f"there is no sink {name!r}; {advice}")
        elif sinks[name].get("from") is not None:
            place = sinks[name]["from"].place
            text = f"takes what {value.path} sends, so it has no from"
            problems.add(place, sinks[name]["from"].path, text)
    for errors in _policies(document):
        _check_policy(errors, problems)


def _check_policy(errors: Value, problems: Problems) -> None:
    policy, to = errors.get("policy"), errors.get("to")
    if policy is not None and (policy.data == "dlq") != (to is not None):
        text = "dlq needs to: SINK" if policy.data == "dlq" else f"{policy.data} takes no to"
        problems.add(policy.place, policy.path, text)


def _connections(document: Value, problems: Problems) -> None:
    group = document.get("connections")
    known = list(group.data) if group is not None else []
    ends = [*named(document, "sources").values(), *named(document, "sinks").values()]
    for kafka in (end.get("kafka") for end in ends):
        asked = kafka.get("connection") if kafka is not None else None
        if asked is not None and asked.data not in known:
            advice = did_you_mean(asked.data, known) if known else "write it under connections:"
            text = f"there is no connection {asked.data!r}; {advice}"
            problems.add(asked.place, asked.path, text)


def _tests(document: Value, problems: Problems) -> None:
    tests = document.get("tests")
    for test in tests.data if tests is not None else []:
        for field, kind in (("given", "sources"), ("expect", "sinks")):
            group, known = test.get(field), list(named(document, kind))
            if group is None or not known or not isinstance(group.node, MappingNode):
                continue
            for key, _ in group.node.items:
                if key.text not in known:
                    text = (
                        f"there is no {SMALL[kind]} {key.text!r}; {did_you_mean(key.text, known)}"
                    )
                    problems.add(key.place, group.path, text)
