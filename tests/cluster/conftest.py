"""One Slurm cluster, images, an embedding service that holds its answers, and the environment of a job."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

from tests.cluster.slurm import Slurm
from tests.docs.pages import ROOT
from tests.standins.nvclip import StandIn
from tests.support.archives import contents, rows
from tests.support.image_files import dicom, mimic, report, truncated

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

STUDIES, OTHERS = 375, 50
IMAGES = 2 * STUDIES + OTHERS
"""So many that each of four tasks has more images than are embedded at once."""
BATCH, BATCHES_AT_ONCE = 64, 2
HELD = 4 * BATCHES_AT_ONCE
"""Batches that a service holds if four tasks run."""


@pytest.fixture(scope="session")
def slurm(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Slurm]:
    with Slurm(tmp_path_factory.mktemp("slurm")) as started:
        yield started


@pytest.fixture(scope="session")
def image_dir(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return studies of two images with a report, and images of no known layout, one of them bad."""
    folder = tmp_path_factory.mktemp("images")
    for number in range(2 * STUDIES):
        image = mimic(folder, number, study=number // 2, subject=number // 4)
        report(image, f"IMPRESSION: Study {number // 2}.")
    for number in range(2 * STUDIES, IMAGES):
        dicom(folder / "other" / f"{number}.dcm", number)
    truncated(folder / "other" / "bad.dcm", IMAGES)
    return folder


@pytest.fixture
def standin() -> Iterator[StandIn]:
    """Return a service that holds the answers to full batches of images; the check before an ingest is answered."""
    with StandIn() as started:
        started.fail("hold", items=BATCH, times=10**6)
        yield started


@pytest.fixture
def variables(standin: StandIn, tmp_path: Path) -> dict[str, str]:
    """Return the environment in which a job is submitted: this checkout's `mcp-cxr`, an archive below `tmp_path`."""
    command = tmp_path / "bin" / "mcp-cxr"
    command.parent.mkdir()
    command.write_text(f'#!/bin/sh\nexec {sys.executable} -m mcp_cxr "$@"\n')
    command.chmod(0o700)
    return os.environ | {
        "PATH": f"{command.parent}:{os.environ['PATH']}",
        "PYTHONPATH": str(ROOT),
        "MCP_CXR_STORE": "embedded",
        "MCP_CXR_DATA_DIR": str(tmp_path / "data"),
        "NVCLIP_BASE_URL": standin.base_url,
    }


@pytest.fixture
def assert_whole(variables: dict[str, str], image_dir: Path, tmp_path: Path) -> Callable[[], None]:
    """Return a function that compares the archive, bit by bit, with that of one run with the same key."""

    def compare() -> None:
        whole = tmp_path / "whole"
        whole.mkdir()
        shutil.copy(tmp_path / "data" / "id.key", whole)
        command = [tmp_path / "bin" / "mcp-cxr", "ingest", image_dir]
        subprocess.run(command, env=variables | {"MCP_CXR_DATA_DIR": str(whole)}, check=True, capture_output=True)
        assert contents(tmp_path / "data") == contents(whole)
        assert rows(whole, "SELECT count(*) FROM images") == [(IMAGES,)]

    return compare
