"""docs/jobs/parallel.sh under GNU parallel: parts that were killed and ended are the only ones of the second run."""

from __future__ import annotations

import os
import signal
import subprocess
from typing import TYPE_CHECKING

import pytest

from tests.cluster.conftest import HELD
from tests.docs.pages import ROOT
from tests.support.command_lines import command_lines
from tests.support.following import wait_for

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from tests.standins.nvclip import StandIn

pytestmark = pytest.mark.cluster
SCRIPT = ROOT / "docs" / "jobs" / "parallel.sh"


def test_parts_on_two_hosts_of_which_one_was_killed_and_one_ended_give_the_archive_of_one_run(
    standin: StandIn,
    variables: dict[str, str],
    image_dir: Path,
    tmp_path: Path,
    assert_whole: Callable[[], None],
) -> None:
    remote_shell = tmp_path / "bin" / "remote-shell"
    write_remote_shell(remote_shell, variables)
    hosts = ["--jobs", "2", "--ssh", str(remote_shell), "--sshlogin", "first,second"]
    env = variables | {"IMAGES": str(image_dir), "SHARDS": "4"}
    log = tmp_path / "log"
    with log.open("wb") as stream:
        first = subprocess.Popen([SCRIPT, *hosts], env=env, cwd=tmp_path, stdout=stream, stderr=stream)
    try:
        standin.wait_for_held(HELD)
        os.kill(ingest_of(image_dir, part=1), signal.SIGKILL)
        os.kill(ingest_of(image_dir, part=2), signal.SIGTERM)
        wait_for(log, "^2\tStopping after the current batch")
        standin.clear_fault()
        assert first.wait() == 2, "two parts failed"
    finally:
        first.kill()
        first.wait()

    second = subprocess.run([SCRIPT, *hosts], env=env, cwd=tmp_path, check=True, capture_output=True, text=True)
    assert {line[0] for line in second.stdout.splitlines()} == {"1", "2"}
    assert_whole()


def write_remote_shell(path: Path, variables: dict[str, str]) -> None:
    """Write what stands in for ssh: it runs a command in the environment of the host, not of the caller."""
    kept = ("PATH", "PYTHONPATH", "MCP_CXR_DATA_DIR", "NVCLIP_BASE_URL")
    settings = " ".join([f"{name}='{variables[name]}'" for name in kept] + ["SHELL=/bin/sh"])
    path.write_text(f"""#!/bin/sh
until [ "$1" = -- ]; do shift; done
shift
exec env -i {settings} sh -c "$*"
""")
    path.chmod(0o700)


def ingest_of(image_dir: Path, *, part: int) -> int:
    """Return the id of the process that ingests a part of a folder."""
    end = "\0".join(["ingest", str(image_dir), "--shard", f"{part}/4", ""])
    (found,) = (pid for pid, line in command_lines().items() if line.endswith(end))
    return found
