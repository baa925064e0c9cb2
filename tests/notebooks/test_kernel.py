"""Cells in a real kernel: run twice, interrupted, with functions of the notebook and beside it."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.notebooks.kernel import Kernel

pytestmark = pytest.mark.timeout(400)


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    directory = tmp_path_factory.mktemp("notebook")
    (directory / "beside.py").write_text(
        "def doubled(row):\n    return row['value'] * FACTOR\nFACTOR = 2\n"
    )
    return directory


@pytest.fixture(scope="module")
def kernel(home: Path) -> Iterator[Kernel]:
    environment = {
        "RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO": "0",
        "RAYSTREAM_CHECKPOINT_STORAGE": str(home / "checkpoints"),
    }
    kernel = Kernel(home, environment)
    kernel.run("import raystream as rs")
    yield kernel
    kernel.stop()


JOB = """
from beside import doubled

def small(row):
    return row["value"] % 2 == LEFT

LEFT = 0
p = rs.Pipeline("live", checkpoint_interval="500ms")
rows = p.read(rs.Datagen(rate=1000), event_time="ts", name="rows").filter(small, name="small")
rows.with_columns(twice=doubled, name="twice").write(rs.Files("out"), name="write")
"""


@pytest.mark.parametrize("cell", ["abc", ""])
def test_a_cell_run_twice_says_its_steps_once(kernel: Kernel, cell: str) -> None:
    kernel.run("p = rs.Pipeline('twice')")
    reading = "rows = p.read(rs.Rows([{'a': 1}, {'a': 2}]))"
    writing = "rows.filter('a > 1').write(rs.Collect(), name='out')\np"
    for _ in range(2):
        assert kernel.run(reading, cell and f"{cell}-1").error == ""
        drawn = kernel.run(writing, cell and f"{cell}-2")
        assert "<svg" in drawn.shown[0]["text/html"]
        assert drawn.shown[0]["text/plain"].startswith("twice: 1 chains, 1 subtasks")
    assert kernel.run("len(p.graph().nodes)").shown[0]["text/plain"] == "3"
    (table,) = kernel.run("p.show()", "show").shown
    assert "<td>2</td>" in table["text/html"]
    assert "nothing was written" in table["text/plain"]


def test_an_edited_cell_tells_what_it_took_away_in_its_own_output(kernel: Kernel) -> None:
    kernel.run("p = rs.Pipeline('edited')")
    kernel.run("rows = p.read(rs.Rows([{'a': 1}]))", "read")
    kernel.run("rows.write(rs.Collect(), name='out')", "write")
    said = kernel.run("rows = p.read(rs.Rows([{'a': 2}]))", "read")
    assert said.text.strip() == (
        "a step was replaced, so the steps behind it were removed: out; run their cells again"
    )


def test_an_unfinished_pipeline_shows_itself(kernel: Kernel) -> None:
    drawn = kernel.run("rs.Pipeline('empty')")
    assert drawn.error == ""
    assert "writes nothing" in drawn.shown[0]["text/plain"]


def test_an_error_names_the_cell(kernel: Kernel) -> None:
    error = kernel.run("q = rs.Pipeline('wrong')\n\nq.read(rs.Rows([]), evnt_time='ts')").error
    assert error.startswith("ConfigurationError: In[")
    assert "]:3: read: unknown option 'evnt_time'; did you mean 'event_time'?" in error


WRONG = """
def inner(row):
    return undefined_name

p = rs.Pipeline("wrong-name")
p.read(rs.Rows([{"a": 1}]), name="rows").filter(inner, name="f").write(rs.Files("never"), name="w")
p.SHOWN
""".strip()


@pytest.mark.parametrize("way", ["show()", "run(local=True)"])
def test_an_error_in_a_function_of_the_notebook_ends_on_its_own_line(
    kernel: Kernel, way: str
) -> None:
    lines = kernel.run(WRONG.replace("SHOWN", way)).trace.splitlines()
    number = lines[0].partition(":")[0]
    assert lines == [
        f"{number}:6",
        f"    p.{way}",
        f"JobFailed: rows[0] failed at step f: {number}:2: "
        "NameError: name 'undefined_name' is not defined, "
        'in the row {"a": 1}, from rows, partition 0, number 0; '
        "correct it, or give the step errors='dlq' or errors='skip'",
        "    return undefined_name",
    ]
    assert number.startswith("In[")


def test_a_job_that_failed_names_the_cell(kernel: Kernel) -> None:
    kernel.run(WRONG.replace("p.SHOWN", "job = p.submit()"))
    ended = kernel.run("job.wait()").shown[-1]["text/plain"]
    assert "failed at step f: In[" in ended
    card = kernel.run("job").shown[0]["text/html"]
    assert "]:2: NameError" in card
    assert "ipykernel" not in ended + card


def test_a_look_that_is_interrupted_shows_no_frames_of_ours(kernel: Kernel) -> None:
    kernel.run("q = rs.Pipeline('long')\nmade = q.read(rs.Datagen(rate=1), event_time='ts')")
    # Not flushed: `print` would wait for it, and be interrupted itself.
    shown = kernel.run("print('go')\nmade.show(999)", interrupt_at="go")
    assert shown.error.startswith("KeyboardInterrupt")
    assert len(shown.trace.splitlines()) < 20


def test_an_empty_source_is_an_empty_table(kernel: Kernel) -> None:
    kernel.run("q = rs.Pipeline('nothing')\nnone = q.read(rs.Rows([]), event_time='ts')")
    (shown,) = kernel.run("none.show()").shown
    assert shown["text/plain"].startswith("read-memory: 0 rows\na sample of 0 rows")
    assert "<table" not in shown["text/html"]


def test_a_job_of_a_notebook(kernel: Kernel, home: Path) -> None:
    """One kernel: submitted twice, a live card, an interrupt, the tail, the end."""
    assert kernel.run(JOB, "job").error == ""
    first = kernel.run("job = p.submit()", "submit")
    assert "in a private Ray of this process" in first.text
    assert first.error == ""
    assert "is already running, unchanged" in kernel.run("job = p.submit()", "submit").text
    rows = kernel.run("for row in job.tail('twice', limit=3): print(row)", "tail").text
    assert rows.count("'twice': ") == 3

    refused = kernel.run("job.tail('nope')").trace
    assert "job live has no step 'nope'; one of rows, small, twice, write" in refused
    assert len(refused.splitlines()) == 3
    card = kernel.run("job", "card")
    assert "live" in card.shown[0]["text/html"]
    waited = kernel.run("job.wait()", "wait", at_update=True)
    assert waited.error == ""
    assert "live runs on; job.stop() ends it" in waited.text
    tailed = kernel.run("for row in job.tail('twice'): print(row)", "tail", interrupt_at="twice")
    assert tailed.error in ("", "KeyboardInterrupt: ")  # the latter while it prints
    assert kernel.run("print(job.status().state)").text == "running\n"
    assert kernel.run("print(job.status().restart_count)").text == "0\n"

    kernel.run(JOB.replace("LEFT = 0", "LEFT = 1"), "job")
    other = kernel.run("p.submit()", "submit")
    assert "live runs already, and is not the same as this pipeline" in other.error
    assert kernel.run("rs.job('live').stop().kind").shown[0]["text/plain"] == "'stopped'"
    assert kernel.run("job.status().state").shown[0]["text/plain"] == "'ended'"
    written = "".join(path.read_text() for path in (home / "out").glob("part-*"))
    assert '"twice":' in written
