"""The example notebooks: each cell runs on a real broker, and what is stored is what comes out."""

from __future__ import annotations

from pathlib import Path

import nbformat
import pytest
from nbformat import NotebookNode

from tests.notebooks.execute import FOLDER, NOTEBOOKS, execute, private, texts
from tests.support.broker import Broker

pytestmark = pytest.mark.timeout(400)


def results(notebook: NotebookNode) -> list[str]:
    """Values of cells as text, in order."""
    outputs = [output for cell in notebook.cells for output in cell.get("outputs", ())]
    values = [output.data for output in outputs if output.output_type == "execute_result"]
    return [data["text/plain"] for data in values]


def run(name: str, kafka: Broker, directory: Path) -> tuple[NotebookNode, NotebookNode]:
    """The notebook as it is stored, and as it comes out now."""
    path = FOLDER / f"{name}.ipynb"
    # HOME is left alone: Ray and Jupyter look there for what belongs to the user
    environment = {
        "RAYSTREAM_BOOTSTRAP_SERVERS": kafka.bootstrap,
        "RAYSTREAM_CHECKPOINT_STORAGE": str(directory / "checkpoints"),
    }
    return nbformat.read(path, as_version=4), execute(path, directory, environment)


@pytest.mark.parametrize("name", ["requests_per_minute", "campaign_effect"])
def test_values_are_those_that_are_stored(name: str, kafka: Broker, tmp_path: Path) -> None:
    stored, now = run(name, kafka, tmp_path)
    assert results(now) == results(stored)
    assert "True" in results(now)


def test_a_job_on_ray_is_submitted_watched_found_again_and_stopped(
    kafka: Broker, tmp_path: Path
) -> None:
    _, now = run("order_totals", kafka, tmp_path)
    said = "\n".join(texts(now))
    assert "runs in a private Ray of this process" in said
    assert "is already running, unchanged" in said
    assert said.count("so far") >= 5
    assert "'running, checkpoint " in said
    assert "stopped: " in said
    assert "/checkpoints/notebook-order-totals/savepoints/" in said
    assert results(now)[-1] == "True"
    assert list((tmp_path / "checkpoints/notebook-order-totals/savepoints").iterdir())


def test_there_are_three_with_their_outputs_and_nothing_private() -> None:
    assert len(NOTEBOOKS) == 3
    for path in NOTEBOOKS:
        notebook = nbformat.read(path, as_version=4)
        nbformat.validate(notebook)
        assert [hit for text in texts(notebook) for hit in private(text)] == []
        assert sum(len(cell.get("outputs", ())) > 0 for cell in notebook.cells) >= 7
        kinds = {output.output_type for c in notebook.cells for output in c.get("outputs", ())}
        assert "error" not in kinds
        assert all(cell.source for cell in notebook.cells)
    assert '"image/png"' in (FOLDER / "requests_per_minute.ipynb").read_text()


def test_what_is_private_is_found() -> None:
    assert private("in /root/x and 10.0.0.7:9092") == ["/root/x", "10.0.0.7:9092"]
    assert private("~/.raystream/checkpoints localhost:9092 127.0.0.1:1 /p/123 </var>") == []
