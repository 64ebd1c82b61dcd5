"""The page's pull from a PACS: counted, done and stopped in a process of its own."""

from __future__ import annotations

import json
import os
import time
from typing import TYPE_CHECKING, Any

import pytest

from mcp_cxr.chat.backend import PullJob
from mcp_cxr.chat.backend._mcp_client import EventLoopThread
from mcp_cxr.errors import CxrError
from tests.server.archives import environment
from tests.standins.dicomweb import StandIn
from tests.support.image_files import dicom

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

TIMEOUT_S = 60
DAYS = {"since": "2026-11-01", "until": "2026-11-30"}


@pytest.fixture
def variables(tmp_path: Path) -> Iterator[dict[str, str]]:
    """The environment of an empty archive and a PACS of three images, two of them of these days."""
    paths = [
        dicom(tmp_path / f"{seed}.dcm", seed, Modality="DX", StudyDate=day, SeriesInstanceUID=f"2.25.8{seed}")
        for seed, day in ((1, "20261101"), (2, "20261130"), (3, "20261201"))
    ]
    with StandIn(tmp_path / "pacs") as standin:
        standin.serve(path.read_bytes() for path in paths)
        yield {**os.environ, **environment(tmp_path / "data"), "MCP_CXR_PACS_URL": standin.dicomweb}


def ended(job: PullJob) -> dict[str, Any]:
    give_up = time.monotonic() + TIMEOUT_S
    while job.state()["state"] == "running":
        assert time.monotonic() < give_up
        time.sleep(0.05)  # polls another process
    return job.state()


def test_a_pull_is_counted_then_done(variables: dict[str, str]) -> None:
    loop, job = EventLoopThread(), PullJob()
    assert job.state() == {"state": "none"}
    job.start(loop, variables, **DAYS, dry_run=True)
    with pytest.raises(CxrError, match="being pulled"):
        job.start(loop, variables, **DAYS, dry_run=False)
    counted = ended(job)
    assert (counted["dry_run"], counted["since"]) == (True, DAYS["since"])  # what a page that comes later goes on with
    assert (counted["summary"]["to_fetch"], counted["summary"]["added"]) == (2, 0)
    job.start(loop, variables, **DAYS, dry_run=False)
    assert ended(job)["summary"]["added"] == 2
    json.dumps(job.state())


def test_a_pull_without_a_pacs_says_what_to_set(variables: dict[str, str]) -> None:
    job = PullJob()
    job.start(EventLoopThread(), {**variables, "MCP_CXR_PACS_URL": ""}, since=None, until=None, dry_run=True)
    found = ended(job)
    assert (found["state"], "MCP_CXR_PACS_URL" in found["problem"]) == ("failed", True)


def test_a_pull_is_stopped(variables: dict[str, str]) -> None:
    job = PullJob()
    job.start(EventLoopThread(), variables, since=None, until=None, dry_run=False)
    job.stop()
    assert ended(job)["state"] == "stopped"
