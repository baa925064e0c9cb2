"""Files matched by a path, directory or glob, and their split ids."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path

from raystream.errors import ConfigurationError
from raystream.ids import SplitId

_MAGIC = frozenset("*?[")


@dataclass(frozen=True, slots=True)
class Listing:
    """Input files under one path; a file's split id is its path relative to `base`.

    Args:
        path: Absolute path of a file or a directory (read with its sub-directories), or a glob.
            Names that begin with `.` or `_` are skipped, below `base`.
    """

    path: str

    @property
    def is_glob(self) -> bool:
        """Whether the path is a pattern."""
        return bool(_MAGIC & set(self.path))

    @property
    def base(self) -> Path:
        """The directory that split ids are relative to."""
        parts = Path(self.path).parts
        fixed = next((n for n, part in enumerate(parts) if _MAGIC & set(part)), None)
        if fixed is not None:
            return Path(*parts[:fixed])
        return Path(self.path) if os.path.isdir(self.path) else Path(self.path).parent

    def files(self) -> dict[SplitId, Path]:
        """Split id -> path, sorted.

        Raises:
            ConfigurationError: The path does not exist.
        """
        found = {str(path.relative_to(self.base)): path for path in self._candidates()}
        return {name: found[name] for name in sorted(found) if not _hidden(name)}

    def resolve(self, split: SplitId) -> Path:
        """Path of a split."""
        return self.base / split

    def _candidates(self) -> list[Path]:
        base = self.base
        if not base.exists() or (base == Path(self.path).parent and not self._exists()):
            what = f"no such file or directory: {self.path}"
            raise ConfigurationError(what, what_to_do="create it, or correct the path")
        if os.path.isfile(self.path):
            return [Path(self.path)]
        pattern = "**/*" if Path(self.path) == base else str(Path(self.path).relative_to(base))
        return [path for path in base.glob(pattern) if path.is_file()]

    def _exists(self) -> bool:
        return self.is_glob or os.path.exists(self.path)


def _hidden(name: SplitId) -> bool:
    return any(part.startswith((".", "_")) for part in Path(name).parts)
