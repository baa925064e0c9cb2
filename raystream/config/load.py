"""A pipeline file from its path to a Pipeline; every mistake of a stage is reported at once."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from raystream.api.pipeline import Pipeline
from raystream.config.check import Value, check
from raystream.config.compile import Compiled, compile_document
from raystream.config.expressions import check_expressions
from raystream.config.include import read
from raystream.config.interpolate import World, environment_of_process, interpolate, params_of
from raystream.config.model import PIPELINE
from raystream.config.place import InvalidFile, Place, Problem, Problems
from raystream.config.references import check_references
from raystream.config.yaml import Mapping as MappingNode


@dataclass(frozen=True, slots=True)
class Loading:
    """What a file is read with.

    Args:
        params: `${param:name}` -> text, over those of the file.
        environment: Variables. Default: those of this process.
        to_run: The pipeline will run; without it nothing is loaded that only a run needs.
    """

    params: Mapping[str, str] = field(default_factory=dict)
    environment: Mapping[str, str] | None = None
    to_run: bool = True


def load_document(path: str, loading: Loading | None = None) -> Value:
    """Read a pipeline file and check everything that needs no columns.

    Args:
        path: Of the file.
        loading: Parameters and environment.

    Raises:
        InvalidFile: with every mistake.
    """
    loading = loading or Loading()
    problems = Problems()
    node = read(path, problems)
    if not isinstance(node, MappingNode):
        problems.raise_if_any()
        raise InvalidFile((Problem(Place(path, 1, 1), "", "there is no pipeline in it"),))
    resolved = interpolate(node, _world(node, loading, problems), problems)
    document = check(resolved, PIPELINE, problems)
    assert document is not None
    check_expressions(document, problems)
    check_references(document, problems)
    problems.raise_if_any()
    return document


def _world(node: MappingNode, loading: Loading, problems: Problems) -> World:
    """What references of this document may ask for; its parameters may ask for variables."""
    given = loading.environment
    environment = environment_of_process() if given is None else given
    written = node.get("params")
    if written is not None:
        written = interpolate(written, World({}, environment), problems, "params")
    return World(params_of(written, loading.params, problems), environment)


def load(path: str, loading: Loading | None = None) -> Compiled:
    """Read a pipeline file and compile it.

    Args:
        path: Of the file.
        loading: Parameters and environment.

    Raises:
        InvalidFile: with every mistake.
    """
    loading = loading or Loading()
    return compile_document(load_document(path, loading), to_run=loading.to_run)


def load_pipeline(path: str, params: Mapping[str, str] | None = None) -> Pipeline:
    """The pipeline of a file.

    Args:
        path: Of the file.
        params: `${param:name}` -> text, over those of the file.

    Raises:
        InvalidFile: with every mistake.
    """
    return load(path, Loading(params or {})).pipeline
