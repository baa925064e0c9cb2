"""Cells of a notebook that run again: in a real IPython shell, with and without ids of cells."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from IPython.core.interactiveshell import InteractiveShell

from raystream.api.jobs.fingerprint import fingerprint


class Kernel:
    """As much of a kernel as tells the cell."""

    def __init__(self) -> None:
        self.request: dict[str, Any] = {}
        self._requests = 0

    def get_parent(self, channel: str) -> dict[str, Any]:
        return self.request

    def next_request(self, cell: str) -> None:
        self._requests += 1
        header = {"msg_id": str(self._requests)}
        self.request = {"header": header, "metadata": {"cellId": cell}}


class Notebook:
    """Runs cells; `cell` is the id that a frontend sends, if it sends one."""

    def __init__(self, shell: InteractiveShell) -> None:
        self._shell = shell
        self._kernel = Kernel()
        self.run("import raystream as rs\np = rs.Pipeline('job')")

    def run(self, code: str, cell: str = "") -> None:
        if cell:
            self._kernel.next_request(cell)
            self._shell.kernel = self._kernel
        result = self._shell.run_cell(code, store_history=True)
        if cell:
            del self._shell.kernel
        result.raise_error()

    def value(self, expression: str) -> Any:
        return eval(expression, self._shell.user_ns)  # noqa: S307

    def steps(self) -> list[str]:
        return [node.name for node in self.value("p").graph().nodes]


@pytest.fixture
def notebook() -> Iterator[Notebook]:
    shell = InteractiveShell.instance()
    yield Notebook(shell)
    shell.history_manager.end_session()
    InteractiveShell.clear_instance()


READ = "rows = p.read(rs.Rows([{'a': 1, 'ts': 1}]), event_time='ts', name='read')"
COUNT = "counts = rows.key_by('a').window(rs.tumbling('1m')).agg(n=rs.count())"
WRITE = "counts.write(out, name='write')"
ALL = ["read", "key-a", "tumbling-1m-a", "write"]


def build(notebook: Notebook, *, ids: bool) -> None:
    notebook.run("out = rs.Collect()")
    for cell in (READ, COUNT, WRITE):
        notebook.run(cell, cell.partition(" ")[0] if ids else "")


@pytest.mark.parametrize("ids", [True, False])
def test_the_same_cell_again_changes_nothing(notebook: Notebook, ids: bool) -> None:
    build(notebook, ids=ids)
    for cell in (READ, COUNT, COUNT, WRITE, READ):
        notebook.run(cell, cell.partition(" ")[0] if ids else "")
        assert notebook.steps() == ALL
    notebook.value("p").plan()


def test_an_edited_cell_replaces_its_steps_and_tells_what_is_gone(
    notebook: Notebook, capsys: pytest.CaptureFixture[str]
) -> None:
    build(notebook, ids=True)
    notebook.run(COUNT.replace("1m", "2m"), "counts")
    assert notebook.steps() == ["read", "key-a", "tumbling-2m-a"]
    gone = (
        "a step was replaced, so the steps behind it were removed: write; run their cells again\n"
    )
    assert capsys.readouterr().out == gone
    notebook.run(WRITE, "counts.write(out,")
    assert notebook.steps() == ["read", "key-a", "tumbling-2m-a", "write"]
    assert capsys.readouterr().err == ""


def test_a_step_that_an_edited_cell_does_not_say_is_gone(notebook: Notebook) -> None:
    notebook.run(f"{READ}\nrows.filter('a > 1')\nrows.filter('a > 2')", "x")
    notebook.run(f"{READ}\nrows.filter('a > 2')", "x")
    assert notebook.steps() == ["read", "filter-a-2"]


def test_a_loop_in_one_cell_adds_a_step_each_time_and_runs_again(notebook: Notebook) -> None:
    notebook.run(READ, "read")
    loop = "for n in range(3):\n    rows.filter(f'a > {n}')\n    rows.filter('a > 9')"
    for _ in range(2):
        notebook.run(loop, "loop")
        assert len(notebook.steps()) == 1 + 6


def test_functions_are_compared_by_what_they_do(notebook: Notebook) -> None:
    notebook.run(READ, "read")
    for _ in range(2):
        notebook.run("def f(row):\n    return row['a'] > 1\nkept = rows.filter(f)", "f")
        notebook.run("kept.drop('a')", "drop")
        assert notebook.steps() == ["read", "filter_rows-f", "drop-a"]
    notebook.run("def f(row):\n    return row['a'] > 2\nkept = rows.filter(f)", "f")
    assert notebook.steps() == ["read", "filter_rows-f"]


def test_a_stream_of_a_replaced_step_teaches(notebook: Notebook) -> None:
    build(notebook, ids=True)
    notebook.run("old = rows", "old")
    notebook.run(READ.replace("'a': 1", "'a': 2"), "rows")
    assert repr(notebook.value("old")) == "<Stream of a step that was replaced>"
    with pytest.raises(Exception, match="was replaced when its cell ran again; run the cell that"):
        notebook.run("old.drop('a')", "drop")


def test_two_cells_with_the_same_text_are_two_steps(notebook: Notebook) -> None:
    notebook.run(READ, "read")
    notebook.run("rows.filter('a > 1')", "one")
    notebook.run("rows.filter('a > 1')", "two")
    assert len(notebook.steps()) == 3


def test_a_cell_that_fails_half_way_leaves_what_it_said_before_the_mistake(
    notebook: Notebook,
) -> None:
    build(notebook, ids=True)
    with pytest.raises(Exception, match="select needs a column"):
        notebook.run("rows.drop('a')\nrows.select()", "wrong")
    assert notebook.steps() == [*ALL, "drop-a"]
    notebook.run("rows.drop('ts')", "wrong")
    assert notebook.steps() == [*ALL, "drop-ts"]


def test_scripts_add_what_they_say() -> None:
    import raystream as rs

    p = rs.Pipeline("job")
    rows = p.read(rs.Rows([{"a": 1}]))
    for _ in range(2):
        rows.filter("a > 1")
    assert len(p.graph().nodes) == 3


def test_fingerprints_follow_functions_of_the_notebook_and_what_they_close_over() -> None:
    def made(n: int) -> Any:
        return lambda row: row["a"] > n

    assert fingerprint(made(1)) == fingerprint(made(1))
    assert fingerprint(made(1)) != fingerprint(made(2))
    one, two = {"f": len}, {"f": max}
    assert fingerprint(one) != fingerprint(two)
    loop: list[Any] = []
    loop.append(loop)
    assert fingerprint(loop)
