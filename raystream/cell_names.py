"""Code of a notebook's cells under the names that its reader knows: `In[3]`, not a file of IPython.

IPython keeps each cell as a file that does not exist; errors of functions that ran elsewhere name
that file. Outside IPython nothing here changes anything.
"""

from __future__ import annotations

import linecache
import os
import re
import sys
import traceback

_OURS = os.path.dirname(os.path.abspath(__file__)) + os.sep
_PLACE = re.compile(r"([^\s:'\"]+\.py|<ipython-input-[^>]+>):(\d+)")
_FRAMES = 3


def cell(path: str) -> str:
    """`In[3]` if this is what Python calls a cell, as IPython's own tracebacks name it; else empty.

    Args:
        path: File name of a code object.
    """
    get = getattr(sys.modules.get("IPython"), "get_ipython", None)
    shell = get() if get is not None else None
    if shell is None:
        return ""
    named = shell.compile.format_code_name(path)
    return str(named[1]) if named else ""


def in_cells(text: str) -> str:
    """The text with `In[3]:2` for places in cells.

    Args:
        text: A message, perhaps from another process.

    >>> in_cells("job.py:3: NameError")
    'job.py:3: NameError'
    """
    return _PLACE.sub(lambda found: f"{cell(found[1]) or found[1]}:{found[2]}", text)


def rendered(error: BaseException) -> list[str]:
    """An error as a notebook shows it: the user's lines that led to it, what it says, its line.

    Args:
        error: With its traceback; frames of raystream and of libraries are left out.
    """
    frames = [f for f in traceback.extract_tb(error.__traceback__) if _is_users(f.filename)]
    calls = [_line(f.filename, f.lineno or 0) for f in frames[-_FRAMES:]]
    text = str(error)
    places = [found for found in _PLACE.findall(text) if cell(found[0])]
    own = [_source(*place) for place in places[-1:] if not text.startswith(":".join(place))]
    return [*calls, f"{type(error).__name__}: {in_cells(text)}", *filter(None, own)]


def _is_users(file: str) -> bool:
    library = "site-packages" in file or "/lib/python3" in file or file.startswith("<frozen")
    return not library and not file.startswith(_OURS)


def _line(file: str, number: int) -> str:
    return f"{cell(file) or file}:{number}\n{_source(file, str(number))}"


def _source(file: str, number: str) -> str:
    text = linecache.getline(file, int(number)).strip()
    return f"    {text}" if text else ""
