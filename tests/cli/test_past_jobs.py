"""A run on a private Ray as another terminal of the same user sees it, and when it is over."""

from __future__ import annotations

import json
import os
import re
from pathlib import Path

from tests.cli.conftest import COMMAND, JOB, raystream, raystream_many, started, wait_for_checkpoint


def test_another_terminal_finds_a_private_run_and_its_past(tmp_path: Path) -> None:
    name = "aprivatejob"
    (tmp_path / "job.py").write_text(JOB.format(name=name, here=tmp_path))
    home = {"HOME": str(tmp_path / "home"), "RAY_TMPDIR": f"/tmp/rs{os.getpid()}"}
    environment = {**os.environ, **home}
    environment.pop("RAY_ADDRESS", None)
    command = [*COMMAND, "run", f"{tmp_path}/job.py:p", "--parallelism", "1"]
    with started(command, environment) as running:
        wait_for_checkpoint(tmp_path / "state" / name, running)
        listed, told, logs, number = raystream_many(
            None,
            ["list"],
            ["status", name],
            ["logs", name],
            ["checkpoint", name],
            environment=home,
        )
        assert [done.code for done in (listed, told, logs, number)] == [0, 0, 0, 0]
        assert re.search(rf"^{name} +running ", listed.out, re.MULTILINE)
        assert f"{name}  running" in told.out
        assert "coordinator | " in logs.out
        assert int(number.out) > 0
        cancelled = raystream("cancel", name, environment=home)
        said = running.communicate(timeout=60)[1]
    assert (cancelled.code, running.returncode) == (4, 4)
    assert "cancelled, committed: read " in said
    every, as_json, past, kept = raystream_many(
        None,
        ["list", "--all"],
        ["list", "--all", "--json"],
        ["status", name],
        ["logs", name],
        environment=home,
    )
    assert [done.code for done in (every, as_json, past, kept)] == [0, 0, 0, 0]
    assert re.search(rf"^{name} +cancelled .* cancel by ", every.out, re.MULTILINE)
    (document,) = json.loads(as_json.out)
    assert (document["outcome"], document["checkpoint"] >= int(number.out)) == ("cancelled", True)
    assert document["ended_by"].startswith("cancel by ")
    assert f"{name}  cancelled" in past.out
    assert "coordinator | " in kept.out
    assert raystream("stop", name, environment=home).code == 2
