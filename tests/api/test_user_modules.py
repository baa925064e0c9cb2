"""What a pipeline's file imports from beside it reaches a process that can not import it."""

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


def run(code: str, where: Path, *arguments: str, data: bytes = b"") -> bytes:
    command = [sys.executable, "-c", code, *arguments]
    done = subprocess.run(command, cwd=where, input=data, capture_output=True, check=False)
    assert done.returncode == 0, done.stderr.decode()
    return done.stdout
