"""Hidden columns that travel with rows have names of their own."""

from __future__ import annotations

import re
from collections import defaultdict
from pathlib import Path

ROOT = Path(__file__).parents[2] / "raystream"
NAMED = re.compile(r'f"\{HIDDEN\}([^"]*)"')
TRAVELLING = ("data/batch.py", "data/changes.py")


def test_no_operator_uses_the_name_of_a_column_that_a_batch_may_have() -> None:
    """A window added a column `place` to rows that had one, if a function had run before."""
    found = defaultdict(set)
    for path in ROOT.rglob("*.py"):
        for name in NAMED.findall(path.read_text()):
            found[name].add(str(path.relative_to(ROOT)))
    of_batches = {name: files for name, files in found.items() if files & set(TRAVELLING)}
    assert len(of_batches) >= 6
    others = {
        name: used
        for name, files in of_batches.items()
        if (used := {file for file in files if not file.startswith(("data/", "verify/"))})
    }
    assert others == {}
