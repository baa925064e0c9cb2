"""Executes the example notebooks; as a program it stores their outputs for readers.

RAYSTREAM_BOOTSTRAP_SERVERS=localhost:9092 python -m tests.notebooks.execute
"""

from __future__ import annotations

import os
import re
import shutil
import tempfile
from pathlib import Path

import nbformat
from nbclient import NotebookClient
from nbformat import NotebookNode

FOLDER = Path(__file__).parents[2] / "pipelines" / "notebooks"
NOTEBOOKS = sorted(FOLDER.glob("*.ipynb"))
KEPT = ("kernelspec", "language_info")


def execute(path: Path, directory: Path, environment: dict[str, str]) -> NotebookNode:
    """The notebook with the outputs of a kernel of its own.

    Args:
        path: Of the notebook; it is not changed.
        directory: Where it runs.
        environment: Variables of its kernel, beside those of this process.

    Raises:
        CellExecutionError: A cell failed.
    """
    notebook = nbformat.read(path, as_version=4)
    client = NotebookClient(
        notebook,
        timeout=120,
        kernel_name="python3",
        resources={"metadata": {"path": str(directory)}},
        shutdown_kernel="immediate",  # else ipykernel waits ten seconds for Ray's processes
    )
    client.execute(env={**os.environ, "RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO": "0", **environment})
    return notebook


def for_readers(notebook: NotebookNode) -> NotebookNode:
    """Without what differs between machines: times of execution, versions, the home directory."""
    home = os.path.expanduser("~")
    for cell in notebook.cells:
        cell.metadata.pop("execution", None)
        for output in cell.get("outputs", ()):
            data = output.get("data", {})
            data.update({k: v.replace(home, "~") for k, v in data.items() if k.startswith("text/")})
            if "text" in output:
                output["text"] = output["text"].replace(home, "~")
    kernel = {"display_name": "Python 3", "language": "python", "name": "python3"}
    notebook.metadata = {"kernelspec": kernel, "language_info": {"name": "python"}}
    return notebook


def texts(notebook: NotebookNode) -> list[str]:
    """Every text in the outputs; pictures are left out."""
    found = []
    for cell in notebook.cells:
        for output in cell.get("outputs", ()):
            found.append(output.get("text", ""))
            found += [t for kind, t in output.get("data", {}).items() if kind.startswith("text/")]
            found += output.get("traceback", [])
    return found


def private(text: str) -> list[str]:
    """What nobody else should read: absolute paths, addresses of hosts."""
    paths = r"(?<![\w~.:/<])/(?:root|home|tmp|work|usr|var|opt)/[^\s'\"<]*"
    hosts = r"\b(?!127\.0\.0\.1)\d{1,3}(?:\.\d{1,3}){3}:\d+"
    return re.findall(f"{paths}|{hosts}", text)


def main() -> None:
    """Execute every notebook and store it with its outputs."""
    for path in NOTEBOOKS:
        directory = Path(tempfile.mkdtemp(prefix="raystream-notebook-"))
        try:
            home = os.path.expanduser("~")
            notebook = for_readers(execute(path, directory, {"HOME": home}))
        finally:
            shutil.rmtree(directory, ignore_errors=True)
        nbformat.write(notebook, path)
        print(path.name, "executed")


if __name__ == "__main__":
    main()
