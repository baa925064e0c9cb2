"""`${VAR}`, `${file:..}`, `${secret:..}`, `${param:..}` inside scalars, after parsing.

POSIX's meaning of `:-` and `:?`; a value never becomes structure, so nothing can be injected.
"""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path

from raystream.config.check import below
from raystream.config.place import Place, Problems
from raystream.config.yaml import Mapping as MappingNode
from raystream.config.yaml import Node, Scalar, Sequence
from raystream.graph.nearest import did_you_mean

SECRET_VARIABLE = "RAYSTREAM_SECRET_"
SECRET_DIRECTORY = "/run/secrets"

_REFERENCE = re.compile(r"\$\$|\$\{([^}]*)\}")
_UNCLOSED = re.compile(r"(?<!\$)(?:\$\$)*\$\{[^}]*\Z")
_VARIABLE = re.compile(r"([A-Za-z_][A-Za-z0-9_]*)(?::([-?])(.*))?", re.DOTALL)
_NAME = re.compile(r"[A-Za-z0-9_.-]+")


class _Unknown(Exception):
    """A reference that leads nowhere; says why."""


@dataclass(frozen=True, slots=True)
class Found:
    """What a reference stands for; `reference` is set for secrets."""

    text: str
    reference: str = ""


@dataclass(frozen=True, slots=True)
class World:
    """What references may ask for.

    Args:
        params: `${param:..}`: name -> text.
        environment: Variables.
        secret_directory: Where the files of `${secret:..}` are.
    """

    params: Mapping[str, str]
    environment: Mapping[str, str]
    secret_directory: str = SECRET_DIRECTORY


def interpolate(node: Node, world: World, problems: Problems, path: str = "") -> Node:
    """The same document with every reference replaced; a plain scalar is typed again.

    Args:
        node: As parsed.
        world: Where values come from.
        problems: Takes references that lead nowhere.
        path: Way to `node`.
    """
    if isinstance(node, MappingNode):
        pairs = tuple(
            (key, interpolate(value, world, problems, below(path, key.text)))
            for key, value in node.items
        )
        return replace(node, items=pairs)
    if isinstance(node, Sequence):
        items = tuple(
            interpolate(item, world, problems, f"{path}[{number}]")
            for number, item in enumerate(node.items)
        )
        return replace(node, items=items)
    return _scalar(node, world, problems, path)


def environment_of_process() -> Mapping[str, str]:
    """The variables of this process."""
    return os.environ


def _scalar(node: Scalar, world: World, problems: Problems, path: str) -> Scalar:
    if "$" not in node.text or node.trapped:
        return node
    unclosed = _UNCLOSED.search(node.text)
    if unclosed:
        problems.add(node.at(unclosed.start()), path, "${ without }; write $$ for a plain $")
        return replace(node, trapped=True)
    found: list[Found] = []
    failed = False

    def one(match: re.Match[str]) -> str:
        nonlocal failed
        if match[1] is None:
            return "$"
        try:
            found.append(_resolve(match[1], world))
        except _Unknown as error:
            place = node.at(match.start()) if match.start() else node.place
            problems.add(place, path, str(error))
            failed = True
            return ""
        return found[-1].text

    text = _REFERENCE.sub(one, node.text)
    if text == node.text and not failed:
        return node
    secrets = [value.reference for value in found if value.reference]
    return replace(
        node,
        text=text,
        inside=None,
        interpolated=bool(found),
        secret=bool(secrets),
        reference=secrets[0] if secrets and text == found[0].text else "",
        trapped=failed,
    )


def _resolve(inner: str, world: World) -> Found:
    kind, colon, name = inner.partition(":")
    if colon and kind in ("file", "secret", "param"):
        return {"file": _file, "secret": _secret, "param": _param}[kind](name, world)
    match = _VARIABLE.fullmatch(inner)
    if match is None:
        advice = "write ${VAR}, ${VAR:-default}, ${VAR:?why}, ${param:x}, ${secret:X} or ${file:/x}"
        message = f"${{{inner}}} is not a reference; {advice}"
        raise _Unknown(message)
    return Found(_variable(match[1], match[2], match[3] or "", world))


def _variable(name: str, operator: str | None, rest: str, world: World) -> str:
    value = world.environment.get(name)
    if value or (value is not None and operator is None):
        return value
    if operator == "-":
        return rest
    advice = rest if operator == "?" and rest else f"set it, or write ${{{name}:-default}}"
    message = f"environment variable {name} is not set: {advice}"
    raise _Unknown(message)


def _param(name: str, world: World) -> Found:
    if name not in world.params:
        known = list(world.params)
        advice = did_you_mean(name, known) if known else "write params: {" + name + ": ..}"
        message = f"there is no parameter {name!r}; {advice}"
        raise _Unknown(message)
    return Found(world.params[name])


def _file(name: str, world: World) -> Found:
    path = os.path.abspath(name)
    return Found(_content(path), f"file:{path}")


def _secret(name: str, world: World) -> Found:
    if _NAME.fullmatch(name) is None:
        message = f"{name!r} is not a name for a secret; use A-Z a-z 0-9 _ . -"
        raise _Unknown(message)
    variable = SECRET_VARIABLE + name
    if variable in world.environment:
        return Found(world.environment[variable], f"env:{variable}")
    path = os.path.join(world.secret_directory, name)
    if not os.path.exists(path):
        message = f"there is no secret {name}: neither {variable} is set nor is there {path}"
        raise _Unknown(message)
    return Found(_content(path), f"file:{path}")


def _content(path: str) -> str:
    try:
        return Path(path).read_text(encoding="utf-8").rstrip("\r\n")
    except OSError as error:
        message = f"file {path} cannot be read ({error.strerror})"
        raise _Unknown(message) from None
    except UnicodeDecodeError:
        message = f"file {path} is not UTF-8 text"
        raise _Unknown(message) from None


def params_of(node: Node | None, given: Mapping[str, str], problems: Problems) -> dict[str, str]:
    """Values of `${param:..}`: those of the file, over them those that were given.

    Args:
        node: The field `params` of the document; a secret in it is not a parameter.
        given: From `--param name=value`, or from a test.
        problems: Takes given ones that the file does not know.
    """
    written: dict[str, str] = {}
    if isinstance(node, MappingNode):
        scalars = ((k.text, v) for k, v in node.items if isinstance(v, Scalar))
        written = {name: "" if value.secret else value.text for name, value in scalars}
    for name in given:
        if name not in written:
            place = node.place if node is not None else Place("--param", 1, 1)
            advice = did_you_mean(name, list(written)) if written else "it has none"
            problems.add(place, "params", f"the file has no parameter {name!r}; {advice}")
    return {**written, **given}
