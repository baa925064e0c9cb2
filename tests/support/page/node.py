"""The scripts of the page without a browser: by node, on as much of a document as they need."""

from __future__ import annotations

import json
import shutil
import subprocess
import tempfile
from pathlib import Path
from typing import Any

import raystream.ui

NODE = shutil.which("node")
_PAGE = Path(raystream.ui.__file__).parent / "page"


def run(script: str, given: Any) -> Any:
    """What a script of js/ prints, as JSON.

    Args:
        script: Its name.
        given: Its standard input, as JSON.
    """
    assert NODE is not None
    with tempfile.TemporaryDirectory() as place:
        shutil.copytree(Path(__file__).parent / "js", place, dirs_exist_ok=True)
        shutil.copytree(_PAGE, Path(place) / "page")
        (Path(place) / "package.json").write_text('{"type": "module"}')
        done = subprocess.run(
            [NODE, str(Path(place) / script)],
            input=json.dumps(given),
            capture_output=True,
            text=True,
            timeout=120,
            check=False,
        )
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)
