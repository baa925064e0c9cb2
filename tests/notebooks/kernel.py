"""A Jupyter kernel as a frontend uses it: cells with ids, outputs, interrupts."""

from __future__ import annotations

import os
import queue
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from jupyter_client.manager import KernelManager

LONGEST_S = 120.0


@dataclass
class Output:
    """What a cell put out."""

    text: str = ""
    shown: list[dict[str, str]] = field(default_factory=list)
    error: str = ""
    trace: str = ""
    updates: int = 0


class Kernel:
    """One kernel, in its own process.

    Args:
        directory: Where its notebook would be.
        environment: Added to this process's.
    """

    def __init__(self, directory: Path, environment: dict[str, str]) -> None:
        self._manager = KernelManager(kernel_name="python3")
        variables = {**os.environ, **environment}
        self._manager.start_kernel(cwd=str(directory), env=variables)
        self._client = self._manager.blocking_client()
        self._client.start_channels()
        self._client.wait_for_ready(timeout=LONGEST_S)

    def run(
        self, code: str, cell: str = "", interrupt_at: str = "", *, at_update: bool = False
    ) -> Output:
        """Run a cell.

        Args:
            code: What is in it.
            cell: Its id, as JupyterLab and VS Code send it.
            interrupt_at: Press stop when this was printed.
            at_update: Press stop when something that is shown was shown anew.
        """
        request = self._client.session.msg(
            "execute_request",
            {
                "code": code,
                "silent": False,
                "store_history": True,
                "stop_on_error": False,
                "user_expressions": {},
                "allow_stdin": False,
            },
            metadata={"cellId": cell} if cell else {},
        )
        self._client.shell_channel.send(request)
        return self._outputs(request["header"]["msg_id"], interrupt_at, at_update=at_update)

    def _outputs(self, asked: str, interrupt_at: str, *, at_update: bool) -> Output:
        found, deadline = Output(), time.monotonic() + LONGEST_S
        while time.monotonic() < deadline:
            try:
                message = self._client.get_iopub_msg(timeout=1)
            except queue.Empty:
                continue
            if message["parent_header"].get("msg_id") != asked:
                continue
            if self._take(message["msg_type"], message["content"], found):
                return found
            printed = interrupt_at and interrupt_at in found.text
            if printed or (at_update and found.updates):
                interrupt_at, at_update = "", False
                self._manager.interrupt_kernel()
        raise AssertionError(found)

    @staticmethod
    def _take(kind: str, content: dict[str, Any], found: Output) -> bool:
        match kind:
            case "stream":
                found.text += content["text"]
            case "display_data" | "execute_result":
                found.shown.append(content["data"])
            case "update_display_data":
                found.updates += 1
            case "error":
                found.error = f"{content['ename']}: {content['evalue']}"
                found.trace = "\n".join(content["traceback"])
        return kind == "status" and content["execution_state"] == "idle"

    def stop(self) -> None:
        """End it; Ray first, for whose processes ipykernel would wait ten seconds."""
        self.run(
            "import sys\n"
            "from raystream.runtime.ray.supervised import jobs\n"
            "for each in jobs(): each.close()\n"
            "if 'ray' in sys.modules: sys.modules['ray'].shutdown()"
        )
        self._client.stop_channels()
        self._manager.shutdown_kernel()
        self._manager.cleanup_resources()
