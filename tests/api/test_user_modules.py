"""What a pipeline's file imports from beside it reaches a process that cannot import it."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

MODULES = {
    "deep.py": "def deeper(n):\n    return n + 1\n",
    "beside/__init__.py": "from deep import deeper\n",
    "beside/inner.py": "from beside import deeper\n\ndef inner(n):\n    return deeper(n) * 2\n",
    "job.py": "import raystream as rs\nfrom beside.inner import inner\np = rs.Pipeline('job')\n",
}
PACK = """\
import sys, cloudpickle
from raystream.cli.target import load
load(sys.argv[1])
from beside.inner import inner
sys.stdout.buffer.write(cloudpickle.dumps(inner))
"""
UNPACK = "import sys, pickle; print(pickle.load(sys.stdin.buffer)(20))"


def test_modules_beside_the_file_travel_whole(tmp_path: Path) -> None:
    for name, text in MODULES.items():
        (tmp_path / "jobs" / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / "jobs" / name).write_text(text)
    packed = run(PACK, tmp_path, "jobs/job.py:p")
    assert run(UNPACK, tmp_path, data=packed).strip() == b"42"


NAMES = ["kafka", "polars", "json", "queue", "typing", "confluent_kafka", "ray"]
NAMED_AS_A_LIBRARY = """\
import raystream as rs
def double(row):
    return {**row, "n": row["n"] * 2}
p = rs.Pipeline("job", checkpoint_interval="100ms")
p.read(rs.Rows([{"n": 1}])).map(double).write(rs.Files("out"))
"""
LOOK = """\
import importlib, pickle, sys
import raystream
if len(sys.argv) < 3:
    sys.path.insert(0, "")  # as a worker of Ray has it, once it is there
names = sys.argv[1].split(",")
if len(sys.argv) > 2:
    from raystream.cli.target import load
    import cloudpickle
    targets = [form.format(name) for name in names for form in ("{}.py:p", "{}:p")]
    steps = [node.step for target in targets for node in load(target).graph().nodes]
    functions = [step.function for step in steps if type(step).__name__ == "Map"]
    data = cloudpickle.dumps(functions)
else:
    data = sys.stdin.buffer.read()
assert [double({"n": 21})["n"] for double in pickle.loads(data)] == [42] * 2 * len(names)
import raystream.connectors.kafka.admin, raystream.connectors.kafka.confluent, polars, ray, queue
for name in names:
    assert not hasattr(importlib.import_module(name), "double"), name
sys.stdout.buffer.write(data)
"""


def test_a_file_called_as_a_library_does_not_replace_it(tmp_path: Path) -> None:
    """Neither where it is loaded nor in a worker that has its directory on the path."""
    for name in NAMES:
        (tmp_path / f"{name}.py").write_text(NAMED_AS_A_LIBRARY)
    (tmp_path / "elsewhere").mkdir()
    look = tmp_path / "elsewhere" / "look.py"
    look.write_text(LOOK)
    code = [sys.executable, str(look), ",".join(NAMES)]
    driver = subprocess.run([*code, "load"], cwd=tmp_path, capture_output=True, check=False)
    assert driver.returncode == 0, driver.stderr.decode()
    worker = subprocess.run(
        code, cwd=tmp_path, input=driver.stdout, capture_output=True, check=False
    )
    assert worker.returncode == 0, worker.stderr.decode()


def test_such_a_file_runs(tmp_path: Path) -> None:
    (tmp_path / "kafka.py").write_text(NAMED_AS_A_LIBRARY)
    command = [sys.executable, "-c", "from raystream.cli.app import main; main()"]
    command += ["run", "kafka.py:p", "--local"]
    command += ["--until", "latest", "--checkpoint-storage", "store"]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, check=False)
    assert done.returncode == 0, done.stderr.decode()
    (part,) = (tmp_path / "out").glob("part-*")
    assert part.read_text() == '{"n":2}\n'


def run(code: str, where: Path, *arguments: str, data: bytes = b"") -> bytes:
    command = [sys.executable, "-c", code, *arguments]
    done = subprocess.run(command, cwd=where, input=data, capture_output=True, check=False)
    assert done.returncode == 0, done.stderr.decode()
    return done.stdout
