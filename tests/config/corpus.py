"""The golden corpus: pipeline files, and the messages of those that are wrong.

`text_*` are wrong as YAML, `shape_*` against the model (editors see it, too), `meaning_*` in what
only the loader knows (names, SQL, columns, variables); `good_*` are right. After a wanted change of
messages `python -m tests.config.corpus` writes them again; read the difference before committing.
"""

from __future__ import annotations

import os
from pathlib import Path

from raystream.config.load import Loading, load
from raystream.config.place import InvalidFile

GOLDEN = Path(__file__).parent / "golden"
CONFIGS = Path(__file__).parents[2] / "configs"
CANARY = "hunter2-canary"
LOADING = Loading(environment={"RAYSTREAM_SECRET_CANARY": CANARY})


def files(kind: str) -> list[Path]:
    """Files of one kind: text, shape, meaning, good."""
    return sorted(GOLDEN.glob(f"{kind}_*.yaml"))


def messages(path: Path) -> str:
    """What is wrong with a file of the corpus, its places without a directory."""
    try:
        load(str(path), LOADING)
    except InvalidFile as error:
        return str(error).replace(f"{path.parent}{os.sep}", "") + "\n"
    return ""


if __name__ == "__main__":
    for kind in ("text", "shape", "meaning"):
        for path in files(kind):
            path.with_suffix(".txt").write_text(messages(path))
