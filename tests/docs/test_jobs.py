"""The job files do what docs/scale.md says: each shard is ingested by the command given there."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING

import pytest

from tests.docs.pages import ROOT
from tests.server.archives import environment
from tests.support.archives import contents
from tests.support.image_files import dicom, mimic, report, truncated

if TYPE_CHECKING:
    from pathlib import Path

JOBS = ROOT / "docs" / "jobs"
SHARDS, IMAGES = 4, 16


@pytest.fixture
def image_dir(tmp_path: Path) -> Path:
    """Return studies of two images with a report, and images of no known layout, one of them bad."""
    folder = tmp_path / "images"
    for number in range(12):
        report(mimic(folder, number, study=number // 2, subject=number // 4), f"IMPRESSION: Study {number // 2}.")
    for number in range(12, 16):
        dicom(folder / "other" / f"{number}.dcm", number)
    truncated(folder / "other" / "bad.dcm", 99)
    return folder


@pytest.fixture
def path(tmp_path: Path) -> str:
    """Return a search path with this checkout's `mcp-cxr`."""
    command = tmp_path / "bin" / "mcp-cxr"
    command.parent.mkdir()
    command.write_text(f'#!/bin/sh\nexec {sys.executable} -m mcp_cxr "$@"\n')
    command.chmod(0o700)
    return f"{command.parent}:{os.environ['PATH']}"


def variables(data: Path, path: str, **more: str) -> dict[str, str]:
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("MCP_CXR_", "IRIS_"))}
    return kept | environment(data) | {"PATH": path, "PYTHONPATH": str(ROOT), "MCP_CXR_STORE": "embedded"} | more


def test_concurrent_slurm_tasks_produce_the_same_archive_as_one_run(image_dir: Path, tmp_path: Path, path: str) -> None:
    data, whole = tmp_path / "data", tmp_path / "whole"

    def task(number: int) -> int:
        of_slurm = {"SLURM_ARRAY_TASK_ID": str(number), "SLURM_ARRAY_TASK_COUNT": str(SHARDS)}
        env = variables(data, path, IMAGES=str(image_dir), **of_slurm)
        return subprocess.run(["sh", JOBS / "slurm.sh"], env=env, check=False).returncode  # noqa: S607  # any shell

    with ThreadPoolExecutor(SHARDS) as tasks:
        assert list(tasks.map(task, range(SHARDS))) == [0] * SHARDS
    whole.mkdir()
    shutil.copy(data / "id.key", whole)
    assert ingest(image_dir, variables(whole, path))["added"] == IMAGES
    assert contents(data) == contents(whole)
    again = ingest(image_dir, variables(data, path))
    assert (again["found"], again["skipped"], again["total_in_store"]) == (IMAGES + 1, IMAGES, IMAGES)
    assert again["recorded_bad"] + again["other_file_same_id"] == 1


def ingest(image_dir: Path, environment: dict[str, str]) -> dict[str, int]:
    command = [sys.executable, "-m", "mcp_cxr", "ingest", image_dir, "--json"]
    return json.loads(subprocess.run(command, env=environment, check=True, capture_output=True).stdout)


def test_the_kubernetes_job_covers_all_shards_with_a_valid_command(image_dir: Path, tmp_path: Path, path: str) -> None:
    job = (JOBS / "kubernetes.yaml").read_text()
    (completions,) = re.findall(r"^ +completions: (\d+)$", job, re.MULTILINE)
    command = json.loads(re.findall(r"^ +command: (\[.*\])$", job, re.MULTILINE)[0])
    assert command[command.index("--shard") + 1] == f"$(JOB_COMPLETION_INDEX)/{completions}"
    last = [word.replace("$(JOB_COMPLETION_INDEX)", str(int(completions) - 1)) for word in command]
    last[last.index("/images")] = str(image_dir)
    subprocess.run([*last, "--dry-run"], env=variables(tmp_path / "data", path), check=True)


@pytest.mark.parametrize("script", ["parallel.sh", "slurm.sh"])
def test_a_job_without_the_name_of_a_folder_ingests_nothing(script: str, tmp_path: Path, path: str) -> None:
    of_slurm = {"SLURM_ARRAY_TASK_ID": "0", "SLURM_ARRAY_TASK_COUNT": "1", "IMAGES": ""}
    env = variables(tmp_path / "data", path, **of_slurm)
    run = subprocess.run(["sh", JOBS / script], env=env, check=False, capture_output=True, text=True)  # noqa: S607  # any shell
    assert run.returncode == 2
    assert "IMAGES: names no folder" in run.stderr
