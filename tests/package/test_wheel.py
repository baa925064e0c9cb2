"""The wheel as users get it: installed into a fresh environment, it runs a pipeline from there."""

from __future__ import annotations

import json
import subprocess
import sys
import sysconfig
import zipfile
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    target = tmp_path_factory.mktemp("wheel")
    build = [sys.executable, "-m", "pip", "wheel", "--quiet", "--no-deps", "--no-build-isolation"]
    subprocess.run([*build, "--wheel-dir", str(target), str(ROOT)], check=True)
    (found,) = target.glob("raystream-*.whl")
    return found


@pytest.fixture(scope="module")
def fresh(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Programs of a new environment that borrows this one's dependencies, but not raystream."""
    home = tmp_path_factory.mktemp("fresh")
    subprocess.run([sys.executable, "-m", "venv", str(home)], check=True)
    (site,) = home.glob("lib/python*/site-packages")
    install = [f"{home}/bin/python", "-m", "pip", "install", "--quiet", "--no-deps", str(wheel)]
    subprocess.run(install, check=True)
    (site / "borrowed.pth").write_text(sysconfig.get_path("purelib"))
    return home / "bin"


def test_it_holds_what_users_need_and_no_test_machinery(wheel: Path) -> None:
    names = zipfile.ZipFile(wheel).namelist()
    assert "raystream/schemas/pipeline.schema.json" in names
    assert "raystream/schemas/status.schema.json" in names
    assert "raystream/py.typed" in names
    testing = {name for name in names if name.startswith("raystream/testing/")}
    kept = {"__init__.py", "cases.py", "fed_source.py", "feed.py", "markers.py"}
    assert testing == {f"raystream/testing/{name}" for name in kept}
    (metadata,) = (name for name in names if name.endswith("/METADATA"))
    text = zipfile.ZipFile(wheel).read(metadata).decode()
    assert "Classifier: Programming Language :: Python :: 3.13" in text
    assert "# raystream\n" in text
    needed = [line for line in text.splitlines() if line.startswith("Requires-Dist")]
    optional = {
        line.split()[1].split("[")[0].rstrip(";<>=,0123456789.")
        for line in needed
        if "extra ==" in line
    }
    always = " ".join(line for line in needed if "extra ==" not in line)
    assert "obstore" in optional
    assert "ray[default]" in always
    assert "obstore" not in always


def test_a_pipeline_from_init_to_its_output(fresh: Path, tmp_path: Path) -> None:
    def raystream(*arguments: str) -> str:
        done = subprocess.run(
            [fresh / "raystream", *arguments],
            cwd=tmp_path,
            env={"PATH": str(fresh), "HOME": str(tmp_path), "BOOTSTRAP_SERVERS": "nowhere:9092"},
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 0, done.stderr
        return done.stdout

    (tmp_path / "kafka.yaml").write_text(raystream("init", "kafka/kafka"))
    raystream("validate", "kafka.yaml")
    raystream("test", "kafka.yaml")
    where = subprocess.run(
        [fresh / "python", "-c", "import raystream; print(raystream.__file__)"],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=True,
    )
    assert where.stdout.startswith(str(fresh.parent))
    (tmp_path / "job.py").write_text(
        "import raystream as rs\n"
        "p = rs.Pipeline('job')\n"
        "rows = p.read(rs.Rows([{'ts': 1, 'k': 'a'}] * 3), event_time='ts')\n"
        "counts = rows.key_by('k').window(rs.tumbling('1m')).agg(n=rs.count())\n"
        "counts.write(rs.Files('out'))\n"
    )
    raystream("run", "job.py:p", "--local", "--until", "latest")
    (part,) = (tmp_path / "out").glob("part-*.jsonl")
    assert json.loads(part.read_text())["n"] == 3
