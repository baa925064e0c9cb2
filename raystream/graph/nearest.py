"""The word that was probably meant."""

from __future__ import annotations

import difflib
from collections.abc import Iterable


def did_you_mean(word: str, known: Iterable[str]) -> str:
    """Advice for an unknown word: the nearest known one, else all of them.

    >>> did_you_mean("tumblng", ["tumbling", "hopping"])
    "did you mean 'tumbling'?"
    >>> did_you_mean("zzz", ["fail", "skip"])
    'one of fail, skip'
    """
    names = [name for name in known if not name.startswith("_")]
    found = difflib.get_close_matches(word, names, n=1, cutoff=0.6)
    return f"did you mean {found[0]!r}?" if found else f"one of {', '.join(names)}"
