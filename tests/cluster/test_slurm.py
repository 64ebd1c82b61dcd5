"""docs/jobs/slurm.sh under Slurm: tasks that were killed, or that Slurm ended, go on when they are requeued."""

from __future__ import annotations

import os
import signal
from typing import TYPE_CHECKING

import pytest

from tests.cluster.conftest import BATCH, BATCHES_AT_ONCE, HELD
from tests.docs.pages import ROOT
from tests.support.following import wait_for

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from tests.cluster.slurm import Slurm
    from tests.standins.nvclip import StandIn

pytestmark = pytest.mark.cluster
SCRIPT = ROOT / "docs" / "jobs" / "slurm.sh"


def test_tasks_that_were_killed_timed_out_and_canceled_are_requeued_and_give_the_archive_of_one_run(
    slurm: Slurm,
    standin: StandIn,
    variables: dict[str, str],
    image_dir: Path,
    tmp_path: Path,
    assert_whole: Callable[[], None],
) -> None:
    options = ("--array=0-3", f"--export=ALL,IMAGES={image_dir}")
    job = slurm.submit(SCRIPT, *options, variables=variables, log_dir=tmp_path)
    standin.wait_for_held(HELD)
    os.kill(slurm.processes(f"{job}_1")[0], signal.SIGKILL)
    slurm.run("scontrol", "update", f"JobId={job}_2", "TimeLimit=2")
    slurm.run("scancel", f"{job}_3")
    logs = [tmp_path / f"slurm-{job}_{task}.out" for task in range(4)]
    for log in logs[2:]:
        wait_for(log, "Stopping after the current batch")
    standin.clear_fault()
    ends = [(0, "COMPLETED", "0:0"), (1, "FAILED", "0:9"), (2, "FAILED", "1:0"), (3, "CANCELLED", "0:0")]
    assert sorted(slurm.ended(job, 4)) == ends
    wait_for(logs[3], "^Error: Interrupted. Run the same command again to continue.")
    for log in logs[2:]:
        assert f"Successfully added: {BATCH * BATCHES_AT_ONCE}\n" in log.read_text()

    slurm.run("scontrol", "requeue", f"{job}_1,{job}_2,{job}_3")
    assert sorted(slurm.ended(job, 7)[4:]) == [(task, "COMPLETED", "0:0") for task in (1, 2, 3)]
    for log in logs[2:]:
        assert f"Skipped (already exist): {BATCH * BATCHES_AT_ONCE}\n" in log.read_text()
    assert_whole()
