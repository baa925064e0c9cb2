"""The notebook cell that is being executed, if any; costs nothing if IPython is not loaded."""

from __future__ import annotations

import re
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from raystream.api.origin import code_of_call


@dataclass(frozen=True, slots=True)
class CellRun:
    """One execution of a cell.

    Args:
        cell: The cell: its id where the frontend sends one, else a hash of its text.
        run: Different for each execution.
    """

    cell: str
    run: str


def shell() -> Any | None:
    """Return IPython's shell if this code runs under one."""
    module = sys.modules.get("IPython")
    get = getattr(module, "get_ipython", None)
    return get() if get is not None else None


def in_notebook() -> bool:
    """Whether a kernel runs this code, so that output may be HTML."""
    return hasattr(shell(), "kernel")


def current_cell() -> CellRun | None:
    """The current execution; None in scripts and modules that no shell runs.

    JupyterLab and VS Code name the cell in their request; nbclient and the terminal do not.
    """
    ip = shell()
    if ip is None:
        return None
    request = _request(ip)
    run = request.get("header", {}).get("msg_id") or ip.execution_count
    cell = request.get("metadata", {}).get("cellId") or _text(code_of_call())
    return CellRun(str(cell), str(run))


def at_end_of_cell(then: Callable[[], None]) -> None:
    """Call this once when the current execution has ended; does nothing outside of IPython."""
    ip = shell()
    if ip is None:
        return

    def once(result: object) -> None:
        ip.events.unregister("post_run_cell", once)
        then()

    ip.events.register("post_run_cell", once)


def _request(ip: Any) -> Mapping[str, Any]:
    """What the kernel is executing now."""
    kernel = getattr(ip, "kernel", None)
    found = kernel.get_parent("shell") if kernel is not None else None
    return found if isinstance(found, dict) else {}


def _text(file: str) -> str:
    """The part of the name IPython gives the code that depends on its text only.

    >>> _text("<ipython-input-12-0a1b2c>")
    '<ipython-input-0a1b2c>'
    """
    return re.sub(r"^<ipython-input-\d+-", "<ipython-input-", file)
