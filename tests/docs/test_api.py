"""`scripts/docs` makes a page in which every public name stands with what it does."""

from __future__ import annotations

import re
import subprocess
from pathlib import Path

import raystream as rs

ROOT = Path(__file__).parents[2]
NOT_OURS = {"col", "lit", "__version__", "errors"}


def test_every_public_name_stands_in_the_reference(tmp_path: Path) -> None:
    subprocess.run([ROOT / "scripts/docs", tmp_path], check=True, capture_output=True)
    page = (tmp_path / "raystream.html").read_text()
    sections = dict(re.findall(r'<section id="(\w+)">(.*?)</section>', page, re.DOTALL))
    missing = [name for name in set(rs.__all__) - NOT_OURS if name not in sections]
    silent = [name for name, text in sections.items() if 'class="docstring"' not in text]
    assert missing == []
    assert set(silent) <= NOT_OURS
    assert "Every verb takes" in sections["Stream"]
    assert "Get a job by name" in sections["job"]
    assert (tmp_path / "raystream/errors.html").exists()
    assert "CRASH" in (tmp_path / "raystream/testing.html").read_text()
