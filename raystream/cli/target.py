"""Load the Pipeline named by `FILE.py:p`, `package.module:p` or `FILE.yaml`."""

from __future__ import annotations

import os
from collections.abc import Mapping
from types import ModuleType
from typing import Any

from raystream.api.user_modules import import_module, load_file, look_in, send_by_value
from raystream.cli.yaml_target import is_yaml, load_yaml
from raystream.errors import ConfigurationError, RaystreamError

FORM = "write FILE.py:name or package.module:name, or FILE.yaml"


class BrokenFile(ConfigurationError):
    """The user's file raised while it was loaded; `what` shows the user's own lines."""


def loaded(target: str, params: Mapping[str, str] | None = None) -> Any:
    """Call `load`; an error of the user's code becomes a few lines that end on the cause.

    Args:
        target: See `load`.
        params: For a YAML file.

    Raises:
        ConfigurationError: no such target, or its code raised.
    """
    try:
        return load(target, params)
    except RaystreamError:
        raise
    except Exception as error:
        from raystream.cli.failures import of_user_code

        raise BrokenFile(of_user_code(error)) from error


def load(target: str, params: Mapping[str, str] | None = None) -> Any:
    """Import the user's code and take the pipeline from it, or read it from a YAML file.

    Args:
        target: `FILE.py:p`, `package.module:p`; without `:p` the only pipeline of the module;
            or `FILE.yaml`.
        params: For a YAML file.

    Raises:
        ConfigurationError: no such file, module or pipeline.
        Exception: whatever the user's code raises.
    """
    if is_yaml(target):
        return load_yaml(target, params or {})
    if params:
        text = f"{target} takes no --param"
        raise ConfigurationError(text, what_to_do="parameters are for FILE.yaml")
    place, _, name = target.rpartition(":") if ":" in target else (target, "", "")
    module = _file(place) if place.endswith(".py") else _module(place)
    found = getattr(module, name, None) if name else _only(module, target)
    if not _is_pipeline(found):
        names = ", ".join(_pipelines(module)) or "none"
        text = f"{place} has no pipeline {name!r}"
        raise ConfigurationError(text, what_to_do=f"pipelines in it: {names}")
    return found


def _file(path: str) -> ModuleType:
    if not os.path.isfile(path):
        text = f"there is no file {path}"
        raise ConfigurationError(text, what_to_do=FORM)
    return load_file(path)


def _module(name: str) -> ModuleType:
    look_in(os.getcwd())
    try:
        module = import_module(name, [os.getcwd()])
        send_by_value(module)
        return module
    except ModuleNotFoundError as error:
        if error.name is None or not (name == error.name or name.startswith(f"{error.name}.")):
            raise
        text = f"there is no module {name}"
        raise ConfigurationError(text, what_to_do=FORM) from None


def _only(module: ModuleType, target: str) -> Any:
    names = _pipelines(module)
    if len(names) != 1:
        text = f"{target} has {len(names)} pipelines"
        raise ConfigurationError(text, what_to_do=f"name one: {target}:{(names or ['p'])[0]}")
    return getattr(module, names[0])


def _pipelines(module: ModuleType) -> list[str]:
    return [name for name, value in vars(module).items() if _is_pipeline(value)]


def _is_pipeline(value: object) -> bool:
    from raystream.api.pipeline import Pipeline

    return isinstance(value, Pipeline)
