"""Turn wrong arguments into messages with the user's line and the word that was meant."""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable, Mapping
from typing import Any, ParamSpec, TypeVar

from raystream.api.origin import wrong
from raystream.errors import RaystreamError
from raystream.graph.nearest import did_you_mean

P = ParamSpec("P")
R = TypeVar("R")

ELSEWHERE: Mapping[str, str] = {
    "brokers": "it is bootstrap_servers, in rs.Kafka(..)",
    "grace": "it is allowed_lateness, in .window(.., allowed_lateness=)",
    "watermark_delay": "it is out_of_orderness, in rs.Watermark(out_of_orderness=)",
    "uid": "it is name=",
    "step_id": "it is name=",
    "where": "it belongs to an aggregate: rs.count(where=..), or is a .filter(..) step",
    "every": "it is slide, in rs.hopping(size, slide)",
    "trigger": 'it is emit, in .window(.., emit="on_close" or rs.early("1s"))',
}
"""Words of other systems, and how we write them."""


def checked(function: Callable[P, R]) -> Callable[P, R]:
    """Wrap a public function: wrong arguments become a ConfigurationError at the user's line."""
    signature = inspect.signature(function)
    known = [name for name in signature.parameters if name != "self"]
    label = function.__qualname__.removesuffix(".__init__").rpartition(".")[2]

    @functools.wraps(function)
    def call(*args: P.args, **kwargs: P.kwargs) -> R:
        try:
            signature.bind(*args, **kwargs)
        except TypeError as error:
            raise _translated(label, known, kwargs, error) from None
        try:
            return function(*args, **kwargs)
        except RaystreamError as error:  # names the line already: our own frames only bury it
            raise error.with_traceback(None) from None
        except KeyboardInterrupt as stop:  # the same when the user pressed stop
            raise stop.with_traceback(None) from None

    return call


def _translated(
    label: str, known: list[str], given: Mapping[str, Any], error: TypeError
) -> Exception:
    for word in given:
        if word not in known:
            advice = ELSEWHERE.get(word) or did_you_mean(word, known)
            return wrong(f"{label}: unknown option {word!r}", advice)
    return wrong(f"{label}: {error}", f"its arguments are {', '.join(known)}")


def chosen(value: Any, option: str, allowed: type[Any] | list[str]) -> Any:
    """The value if it is one of the allowed words.

    Args:
        value: What the user wrote.
        option: Name of the option, for the message.
        allowed: A StrEnum (its member is returned) or a list of words.

    Raises:
        ConfigurationError: it is none of them.
    """
    words = [str(word) for word in allowed]
    if not isinstance(value, str) or value not in words:
        text = f"{option} {value!r} is unknown"
        raise wrong(text, did_you_mean(str(value), words))
    return value if isinstance(allowed, list) else allowed(value)
