"""What a plain scalar means in YAML 1.2, and which ones YAML 1.1 reads otherwise."""

from __future__ import annotations

import re

Plain = str | int | float | bool | None

_INT = re.compile(r"[-+]?(?:0|[1-9][0-9]*)")
_OTHER_INT = re.compile(r"0x[0-9a-fA-F]+|0o[0-7]+")
_FLOAT = re.compile(r"[-+]?(?:\.[0-9]+|[0-9]+(?:\.[0-9]*)?)(?:[eE][-+]?[0-9]+)?")
_SPECIAL = {".inf": "inf", "+.inf": "inf", "-.inf": "-inf", ".nan": "nan"}
_NULL = ("", "~", "null", "Null", "NULL")
_TRUE = ("true", "True", "TRUE")
_FALSE = ("false", "False", "FALSE")
_SEXAGESIMAL = re.compile(r"[-+]?[0-9][0-9_]*(?::[0-5]?[0-9])+(?:\.[0-9_]*)?")
_OCTAL = re.compile(r"[-+]?0[0-9_]+")
_UNDERSCORES = re.compile(r"[-+]?[0-9]+(?:_+[0-9]+)+")
_BINARY = re.compile(r"[-+]?0b[01_]+")


def plain_value(text: str) -> Plain:
    """The value of an unquoted scalar.

    >>> [plain_value(t) for t in ("10", "1.5", "true", "~", "10s", "2024-01-01")]
    [10, 1.5, True, None, '10s', '2024-01-01']
    """
    if text in _NULL:
        return None
    if text in _TRUE or text in _FALSE:
        return text in _TRUE
    if _INT.fullmatch(text):
        return int(text)
    if _OTHER_INT.fullmatch(text):
        return int(text, 0)
    if _FLOAT.fullmatch(text):
        return float(text)
    return float(_SPECIAL[text.lower()]) if text.lower() in _SPECIAL else text


def trap(text: str) -> str | None:
    """Why an unquoted scalar is refused: YAML 1.1 and 1.2 read it differently.

    >>> trap("no")
    "'no' is false in YAML 1.1 and text in YAML 1.2; write false, or quote it"
    >>> trap("1:30")
    "'1:30' is the number 90 in YAML 1.1; quote it, or write a duration as 90s or 5m"
    """
    lower = text.lower()
    if lower in ("yes", "on", "no", "off") and text in (lower, lower.title(), lower.upper()):
        word = "true" if lower in ("yes", "on") else "false"
        return f"{text!r} is {word} in YAML 1.1 and text in YAML 1.2; write {word}, or quote it"
    if _SEXAGESIMAL.fullmatch(text) and "." not in text:
        number = _sexagesimal(text)
        reading = f"{text!r} is the number {number} in YAML 1.1"
        return f"{reading}; quote it, or write a duration as 90s or 5m"
    if _OCTAL.fullmatch(text):
        return f"{text!r} is octal in YAML 1.1; write it without the 0 in front, or quote it"
    if _UNDERSCORES.fullmatch(text) or _BINARY.fullmatch(text):
        return f"{text!r} is a number in YAML 1.1 and text in YAML 1.2; write plain digits"
    return None


def _sexagesimal(text: str) -> int:
    number = 0
    for part in text.replace("_", "").lstrip("+-").split(":"):
        number = number * 60 + int(part)
    return -number if text.startswith("-") else number
