"""Adds a folder to the archive for the page: one job at a time, which all tabs see, with its rate and time left."""

from __future__ import annotations

import asyncio
import time
from collections import deque
from concurrent.futures import CancelledError
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

from mcp import MCPError

from mcp_cxr.errors import CxrError
from mcp_cxr.pasted_text import pasted_path

if TYPE_CHECKING:
    from concurrent.futures import Future

    from mcp.shared.dispatcher import ProgressFnT

    from mcp_cxr.chat.backend._mcp_client import EventLoopThread

_RATE_OVER_S = 15.0
"""The rate is that of the last seconds: files that are skipped go by much faster than others."""


def folder_of(named: str) -> Path:
    """Return the folder that a pasted path names, or holds the file that it names."""
    path = Path(pasted_path(named)).expanduser()
    return path.parent if path.is_file() else path


class UsersServer(Protocol):
    """What an ingest needs of the `Backend`."""

    @property
    def loop(self) -> EventLoopThread:
        """Runs the calls."""
        ...

    async def add_folder(self, folder: Path) -> None:
        """Let the user ingest a folder."""
        ...

    async def call(
        self, tool: str, arguments: dict[str, Any], *, on_progress: ProgressFnT | None = None
    ) -> dict[str, Any]:
        """Call a tool for the user; return its structured content."""
        ...


class IngestJob:
    """The last ingest that the page started, running or not; the user's server of a backend does it."""

    def __init__(self) -> None:
        self._named, self._dry_run = "", False
        self._left_out: dict[str, Any] | None = None
        self._future: Future[dict[str, Any]] | None = None
        self._processed, self._total, self._outcomes = 0, None, ""
        self._samples = deque[tuple[float, int]]()

    @property
    def is_running(self) -> bool:
        """Whether files are being added."""
        return self._future is not None and not self._future.done()

    def start(self, backend: UsersServer, named: str, *, dry_run: bool) -> None:
        """Start to add the images of a folder, or to count them.

        Raises:
            CxrError: A job is running.
        """
        if self.is_running:
            raise CxrError("A folder is being added. Wait for its end, or stop it.")
        self._named, self._dry_run, self._left_out = named, dry_run, None
        self._new_round()
        self._future = backend.loop.start(self._ingest(backend, named, dry_run=dry_run))

    def stop(self) -> None:
        """Stop; images that were added stay."""
        if self._future:
            self._future.cancel()

    async def state(self, backend: UsersServer) -> dict[str, Any]:
        """Return what the page shows: `state`, the progress, and at the end the summary and the files left out."""
        if self._future is None:
            return {"state": "none"}
        known = {"folder": self._named, "dry_run": self._dry_run}
        if not self._future.done():
            return {"state": "running", **known, **self._progress()}
        try:
            summary = self._future.result()
            if self._left_out is None and not self._dry_run:
                self._left_out = await self._list_left_out(backend)
        except CancelledError:
            return {"state": "stopped", **known}
        except (CxrError, MCPError) as exc:
            return {"state": "failed", **known, "problem": str(exc)}
        return {"state": "done", **known, "summary": summary, "left_out": self._left_out}

    def _progress(self) -> dict[str, Any]:
        """Return the number of files, and how many a second and the seconds left, once these can be told."""
        rate = None
        if self._samples:
            (first_at, first), (last_at, last) = self._samples[0], self._samples[-1]
            rate = (last - first) / (last_at - first_at) if last > first and last_at > first_at else None
        left = (self._total - self._processed) / rate if rate and self._total else None
        return {
            "processed": self._processed,
            "total": self._total,
            "outcomes": self._outcomes,
            "files_per_second": rate,
            "seconds_left": left,
        }

    async def _list_left_out(self, backend: UsersServer) -> dict[str, Any]:
        return await backend.call("list_files_left_out", {"folder": str(folder_of(self._named))})

    def _new_round(self) -> None:
        self._processed, self._total, self._outcomes = 0, None, ""
        self._samples.clear()

    async def _report(self, progress: float, total: float | None, message: str | None) -> None:
        now = time.monotonic()
        self._processed, self._total, self._outcomes = int(progress), int(total) if total else None, message or ""
        self._samples.append((now, self._processed))
        while now - self._samples[0][0] > _RATE_OVER_S:
            self._samples.popleft()

    async def _ingest(self, backend: UsersServer, named: str, *, dry_run: bool) -> dict[str, Any]:
        """Call `ingest_directory` until everything is done, or a call makes no progress.

        Returns:
            The last call's summary, with `added`, `errors` and `seconds` summed over all calls.
        """
        folder = await asyncio.to_thread(folder_of, named)
        if not folder.is_absolute() or not await asyncio.to_thread(folder.is_dir):
            raise CxrError(f"{named} is no folder on this machine. Give its absolute path.")
        await backend.add_folder(folder)
        totals = {"added": 0, "errors": 0, "seconds": 0.0}
        while True:
            arguments = {"path": named, "dry_run": dry_run}
            summary = await backend.call("ingest_directory", arguments, on_progress=self._report)
            totals = {name: total + summary[name] for name, total in totals.items()}
            if dry_run or not summary["next"] or not (summary["added"] or summary["errors"]):
                return summary | totals
            self._new_round()
