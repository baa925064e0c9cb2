"""`include`: merged below; places stay those of the file that said it."""

from __future__ import annotations

from pathlib import Path

import pytest

from raystream.config.load import load
from raystream.config.place import InvalidFile

KAFKA = 'kafka: {bootstrap_servers: "k:9092", topic: t}'
MAIN = f"""\
include: [a.yaml, b.yaml]
name: job
checkpoint: {{interval: 1s}}
source: {{{KAFKA}}}
"""


def write(directory: Path, **texts: str) -> str:
    for name, text in texts.items():
        (directory / f"{name}.yaml").write_text(text)
    return str(directory / "main.yaml")


def test_maps_merge_lists_replace_and_the_later_file_wins(tmp_path: Path) -> None:
    path = write(
        tmp_path,
        main=MAIN + "steps: [{filter: x > 1}]\n",
        a="checkpoint: {interval: 5s, timeout: 1m}\nsteps: [{filter: x > 2}, {filter: x > 3}]\n",
        b=f"checkpoint: {{timeout: 2m, storage: /tmp/b}}\nsink: {{{KAFKA}}}\n",
    )
    pipeline = load(path).pipeline
    settings = pipeline.settings
    assert (settings.checkpoint_interval, settings.checkpoint_timeout) == (1.0, 120.0)
    assert settings.checkpoint_storage == "/tmp/b"
    assert len(pipeline.graph().nodes) == 3


def wrong(path: str) -> list[str]:
    with pytest.raises(InvalidFile) as caught:
        load(path)
    return str(caught.value).replace(path.rpartition("/")[0] + "/", "").splitlines()


def test_mistakes_are_told_where_they_were_written(tmp_path: Path) -> None:
    path = write(tmp_path, main=MAIN, a="# a\nsink: {kafak: {}}\n", b="checkpoint: {x: 1}\n")
    assert wrong(path) == [
        "a.yaml:2:8: sink: unknown field 'kafak'; did you mean 'kafka'?",
        "b.yaml:1:14: checkpoint: unknown field 'x'; one of interval, timeout, min_pause, storage",
    ]


def test_a_file_that_is_not_there_or_includes_itself(tmp_path: Path) -> None:
    path = write(tmp_path, main=MAIN + f"sink: {{{KAFKA}}}\n", a="include: main.yaml\n")
    assert wrong(path) == [
        "a.yaml:1:10: include: main.yaml includes itself",
        "main.yaml:1:19: include: b.yaml cannot be read (No such file or directory)",
    ]


def test_no_such_file(tmp_path: Path) -> None:
    path = str(tmp_path / "none.yaml")
    assert wrong(path) == ["none.yaml:1:1: none.yaml cannot be read (No such file or directory)"]


def test_not_utf_8(tmp_path: Path) -> None:
    (tmp_path / "main.yaml").write_bytes(b"name: \xff\n")
    assert wrong(str(tmp_path / "main.yaml")) == ["main.yaml:1:1: main.yaml is not UTF-8 text"]


def test_files_that_include_each_other_twice_do_not_explode(tmp_path: Path) -> None:
    texts = {f"f{n}": f"include: [f{n + 1}.yaml, f{n + 1}.yaml]\n" for n in range(18)}
    path = write(
        tmp_path, main=MAIN.replace("[a.yaml, b.yaml]", "f0.yaml"), f18="name: x\n", **texts
    )
    assert any("include: more than 20 files" in line for line in wrong(path))
