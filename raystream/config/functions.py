"""Python functions that a pipeline file names: `package.module:function`."""

from __future__ import annotations

import os
from collections.abc import Callable
from typing import Any

from raystream.api.user_aggregates import UserAggregate
from raystream.api.user_modules import import_module, look_in, send_by_value
from raystream.errors import ConfigurationError, told
from raystream.graph.nearest import did_you_mean
from raystream.graph.process import Process


def function(path: str, directory: str) -> Callable[..., Any]:
    """Import a function.

    Args:
        path: `package.module:function`; looked for in the working directory, beside the file, and
            among what is installed.
        directory: Of the pipeline file.

    Raises:
        ConfigurationError: there is no such module or function, or its module raises.
    """
    name, _, attribute = path.partition(":")
    module = _module(name, directory)
    found = getattr(module, attribute, None)
    if not callable(found):
        functions = [n for n, v in vars(module).items() if callable(v) and n[0] != "_"]
        text = f"module {name} has no function {attribute!r}"
        advice = did_you_mean(attribute, functions) if functions else "it has none"
        raise ConfigurationError(text, what_to_do=advice)
    result: Callable[..., Any] = found
    return result


def process(path: str, directory: str) -> Process:
    """Make an object of a class, or import one.

    Args:
        path: `package.module:Class`, as for `function`.
        directory: Of the pipeline file.

    Raises:
        ConfigurationError: it is no subclass of rs.Process, or cannot be made without arguments.
    """
    name, _, attribute = path.partition(":")
    made = getattr(_module(name, directory), attribute, None)
    if isinstance(made, Process):
        return made
    found = function(path, directory)
    if not isinstance(found, type) or not issubclass(found, Process):
        text = f"{path} is no subclass of rs.Process"
        raise ConfigurationError(text, what_to_do=f"write class {attribute}(rs.Process): ..")
    try:
        return found()
    except Exception as error:
        text = f"{path} cannot be made: {told(error)}"
        advice = "name an object in the module instead of the class"
        raise ConfigurationError(text, what_to_do=advice) from error


def user_aggregate(path: str, directory: str) -> UserAggregate:
    """Import an aggregate of the user.

    Args:
        path: `package.module:name`, as for `function`.
        directory: Of the pipeline file.

    Raises:
        ConfigurationError: it is none.
    """
    name, _, attribute = path.partition(":")
    module = _module(name, directory)
    found = getattr(module, attribute, None)
    if isinstance(found, UserAggregate):
        return found
    there = [n for n, v in vars(module).items() if isinstance(v, UserAggregate)]
    text = f"{path} is no aggregate"
    advice = did_you_mean(attribute, there) if there else "write NAME = rs.aggregate(..) in it"
    raise ConfigurationError(text, what_to_do=advice)


def _module(name: str, directory: str) -> Any:
    for place in (directory, os.getcwd()):
        look_in(place)
    try:
        module = import_module(name, (directory, os.getcwd()))
    except ModuleNotFoundError as error:
        if error.name is not None and (name == error.name or name.startswith(f"{error.name}.")):
            text = f"there is no module {name}"
            advice = "it is searched next to the file and in the working directory"
            raise ConfigurationError(text, what_to_do=advice) from None
        raise _raised(name, error) from error
    except Exception as error:
        raise _raised(name, error) from error
    _send_by_value(module)
    return module


def _raised(name: str, error: Exception) -> ConfigurationError:
    return ConfigurationError(f"module {name} raises {told(error)}")  # noqa: EM102


def _send_by_value(module: Any) -> None:
    """Other processes cannot import it by its name, unless it is installed."""
    import site

    file = getattr(module, "__file__", None) or ""
    if not file.startswith(tuple(site.getsitepackages())):
        send_by_value(module)
