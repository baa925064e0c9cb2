"""The wheel carries the native reader if it was built, and then fits one platform."""

from __future__ import annotations

import sysconfig
from pathlib import Path
from typing import Any

from hatchling.builders.hooks.plugin.interface import BuildHookInterface

MODULE = "raystream/native/_native.abi3.so"


class NativeReader(BuildHookInterface):  # type: ignore[type-arg]
    """Adds the module, which git ignores, and the tag of its platform."""

    def initialize(self, version: str, build_data: dict[str, Any]) -> None:
        """Called before a wheel is built; an editable install finds the module in the tree."""
        if version == "editable" or not Path(self.root, MODULE).exists():
            return
        platform = sysconfig.get_platform().replace("-", "_").replace(".", "_")
        build_data["artifacts"].append(MODULE)
        build_data["pure_python"] = False
        build_data["tag"] = f"cp311-abi3-{platform}"
