"""The ingest that the page starts: its progress, its end, and being stopped."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import anyio
import anyio.lowlevel
import pytest

from mcp_cxr.chat.backend import IngestJob
from mcp_cxr.chat.backend._mcp_client import EventLoopThread
from mcp_cxr.errors import CxrError

if TYPE_CHECKING:
    from pathlib import Path


class EndlessServer:
    """A backend whose server reports 10, then 20 of 100 files, and never answers."""

    def __init__(self) -> None:
        self.loop = EventLoopThread()

    async def add_folder(self, folder: Path) -> None:
        pass

    async def call(self, tool: str, arguments: dict[str, Any], *, on_progress: Any = None) -> dict[str, Any]:
        for processed in (10, 20):
            await on_progress(processed, 100, f"added {processed}, skipped 0, errors 0")
        await anyio.sleep_forever()
        return {}


async def test_progress_has_a_rate_and_the_time_left_and_ends_when_it_is_stopped(tmp_path: Path) -> None:
    backend, job = EndlessServer(), IngestJob()
    assert await job.state(backend) == {"state": "none"}
    job.start(backend, str(tmp_path), dry_run=False)
    with anyio.fail_after(30):
        while (state := await job.state(backend)).get("processed") != 20:
            await anyio.lowlevel.checkpoint()
    assert (state["state"], state["total"], state["outcomes"]) == ("running", 100, "added 20, skipped 0, errors 0")
    assert state["seconds_left"] == pytest.approx(80 / state["files_per_second"])
    with pytest.raises(CxrError, match="A folder is being added"):
        job.start(backend, str(tmp_path), dry_run=False)
    job.stop()
    assert await job.state(backend) == {"state": "stopped", "folder": str(tmp_path), "dry_run": False}
