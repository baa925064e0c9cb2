"""Names of the objects of a job in its storage: attempts, slots, done marks, state segments."""

from __future__ import annotations

import re

from raystream.errors import StorageError
from raystream.ids import StepName

ATTEMPTS = "attempt-"
SLOTS = "m-"
DONES = "done-"
STATE = "state/"

_DIGITS = 10  # zero-padded, so that a listing is sorted by number
_PART = r"[A-Za-z0-9_=-][A-Za-z0-9._=-]*"
_KEY = re.compile(rf"{_PART}(/{_PART})*")
_STATE = re.compile(rf"state/a(0|[1-9][0-9]*)/{_PART}/(0|[1-9][0-9]*)/{_PART}\.arrow")


def attempt_key(attempt: int) -> str:
    """Key of attempt number `attempt`.

    >>> attempt_key(3)
    'attempt-0000000003'
    """
    return _numbered(ATTEMPTS, attempt)


def slot_key(slot: int) -> str:
    """Key of slot `slot` of the manifest log.

    >>> slot_key(12)
    'm-0000000012'
    """
    return _numbered(SLOTS, slot)


def done_key(slot: int) -> str:
    """Key of the mark that every transaction of slot `slot` is committed."""
    return _numbered(DONES, slot)


def number_of(prefix: str, key: str) -> int:
    """The number in a key that one of the functions above built with `prefix`.

    Raises:
        StorageError: the key has another form.

    >>> number_of(SLOTS, "m-0000000012")
    12
    """
    digits = key.removeprefix(prefix)
    if not key.startswith(prefix) or re.fullmatch(rf"[0-9]{{{_DIGITS}}}", digits) is None:
        text = f"{key!r} is not a name that raystream gives"
        raise StorageError(text, what_to_do="keep other files out of the checkpoint storage")
    return int(digits)


def segment_key(attempt: int, step: StepName, subtask: int, segment: str) -> str:
    """Key of a state segment; it contains the attempt, so that attempts never share a file.

    >>> segment_key(2, "counts", 0, "2-17")
    'state/a2/counts/0/2-17.arrow'
    """
    key = f"{STATE}a{attempt}/{step}/{subtask}/{segment}.arrow"
    if _STATE.fullmatch(key) is None:
        text = f"{key!r} is not a name for a state segment"
        raise StorageError(text, what_to_do="use letters, digits, _ and - in step names")
    return key


def attempt_of_segment(key: str) -> int | None:
    """The attempt that wrote a state segment, or None if this is not a key of a segment.

    >>> attempt_of_segment("state/a2/counts/0/2-17.arrow"), attempt_of_segment("m-0000000012")
    (2, None)
    """
    match = _STATE.fullmatch(key)
    return None if match is None else int(match[1])


def check_key(key: str) -> str:
    """Return `key` if it is well-formed, so that it cannot leave the root of its store.

    Raises:
        StorageError: a part is empty, starts with a dot, or contains other characters.
    """
    if _KEY.fullmatch(key) is None:
        text = f"{key!r} is not a valid object name"
        raise StorageError(text, what_to_do="the storage may be damaged or tampered with")
    return key


def _numbered(prefix: str, number: int) -> str:
    if not 0 <= number < 10**_DIGITS:
        text = f"{number} is not a number of an attempt or slot"
        raise StorageError(text)
    return f"{prefix}{number:0{_DIGITS}d}"
