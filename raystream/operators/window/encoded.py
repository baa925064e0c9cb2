"""What a function of the user added up, as bytes for the state: Python's plain values alone.

Every value comes back as it was, of the same type, so that it makes no difference where a batch
ends. It is written by pickle, limited to kinds of values whose reading runs no code.
"""

from __future__ import annotations

import io
import pickle
from typing import Any

_KINDS = {
    ("builtins", name) for name in ("bytearray", "complex", "frozenset", "range", "set", "slice")
} | {
    ("collections", "Counter"),
    ("collections", "OrderedDict"),
    ("collections", "deque"),
    ("datetime", "date"),
    ("datetime", "datetime"),
    ("datetime", "time"),
    ("datetime", "timedelta"),
    ("datetime", "timezone"),
    ("decimal", "Decimal"),
    ("fractions", "Fraction"),
    ("uuid", "UUID"),
}
_PROTOCOL = 5


def encoded(value: Any) -> bytes:
    """The bytes of a value.

    Raises:
        TypeError: there is something in it that is no plain value.

    >>> decoded(encoded((1, {"a": [2.5, None]}, {3})))
    (1, {'a': [2.5, None]}, {3})
    """
    if type(value) in (int, float, str, bytes, bool):
        return pickle.dumps(value, _PROTOCOL)
    out = io.BytesIO()
    _Pickler(out, _PROTOCOL).dump(value)
    return out.getvalue()


def decoded(text: bytes) -> Any:
    """The value of its bytes.

    Raises:
        pickle.UnpicklingError: it is none that `encoded` wrote.
    """
    return _Unpickler(io.BytesIO(text)).load()


class _Pickler(pickle.Pickler):
    def reducer_override(self, value: Any) -> Any:
        """Called for all that is not one of pickle's own kinds."""
        kind = value if isinstance(value, type) else type(value)
        if (kind.__module__, kind.__qualname__) in _KINDS:
            return NotImplemented
        what = (
            f"what an aggregate adds up holds a {kind.__qualname__}; keep numbers, text, bytes, "
            "dates, tuples, lists, sets and dicts"
        )
        raise TypeError(what)


class _Unpickler(pickle.Unpickler):
    def find_class(self, module: str, name: str) -> Any:
        """Only what `encoded` writes."""
        if (module, name) not in _KINDS:
            what = f"{module}.{name} in the state of an aggregate"
            raise pickle.UnpicklingError(what)
        return super().find_class(module, name)
