"""`FILE.yaml` as the target of a verb."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from raystream.errors import ConfigurationError

ENDINGS = (".yaml", ".yml")


def is_yaml(target: str) -> bool:
    """Whether a target is a pipeline file; also true for `FILE.yaml:p`, to report it properly.

    >>> is_yaml("job.yaml"), is_yaml("job.yaml:p"), is_yaml("job.py:p")
    (True, True, False)
    """
    return target.endswith(ENDINGS) or target.rpartition(":")[0].endswith(ENDINGS)


def load_yaml(target: str, params: Mapping[str, str]) -> Any:
    """Load the pipeline of a file.

    Args:
        target: Its path.
        params: `${param:name}` -> text.

    Raises:
        ConfigurationError: the file is wrong; lists every mistake.
    """
    if not target.endswith(ENDINGS):
        file = target.rpartition(":")[0]
        text = f"{file} holds one pipeline, which has no name in it"
        raise ConfigurationError(text, what_to_do=f"write {file}")
    from raystream.config.load import load_pipeline

    return load_pipeline(target, params)


def as_python(target: str, pipeline: Any) -> str:
    """Render the pipeline of a file as Python.

    Args:
        target: Its path.
        pipeline: As loaded from there.

    Raises:
        ConfigurationError: the target is already Python.
    """
    if not is_yaml(target):
        text = f"--as python is for FILE.yaml, and {target} is Python"
        raise ConfigurationError(text, what_to_do="write --as text or --as mermaid")
    from raystream.config.to_python import to_python

    return to_python(pipeline)
