"""Pulls images from the PACS for the page: the command `pull` in a process of its own, one at a time, for all tabs."""

from __future__ import annotations

import asyncio
import json
import sys
from concurrent.futures import CancelledError
from contextlib import suppress
from typing import TYPE_CHECKING, Any

from mcp_cxr.errors import CxrError

if TYPE_CHECKING:
    from concurrent.futures import Future

    from mcp_cxr.chat.backend._mcp_client import EventLoopThread

_LONGEST_LINE = 2**16
_END_TIMEOUT_S = 30.0


class PullJob:
    """The last pull that the page started, running or not."""

    def __init__(self) -> None:
        self._future: Future[dict[str, Any]] | None = None
        self._progress = ""

    @property
    def is_running(self) -> bool:
        """Whether images are being pulled, or counted."""
        return self._future is not None and not self._future.done()

    def start(
        self, loop: EventLoopThread, variables: dict[str, str], *, since: str | None, until: str | None, dry_run: bool
    ) -> None:
        """Start to pull the studies of these days from the PACS of MCP_CXR_PACS_URL, or to count them.

        Args:
            loop: Runs the process.
            variables: Its environment.
            since: First day, `2026-11-01`; None: any.
            until: Last day.
            dry_run: Whether they are only counted.

        Raises:
            CxrError: A pull is running.
        """
        if self.is_running:
            raise CxrError("Images are being pulled. Wait for the end, or stop it.")
        days = [*(["--since", since] if since else []), *(["--until", until] if until else [])]
        self._progress = ""
        self._future = loop.start(self._run(variables, [*days, *(["--dry-run"] if dry_run else [])]))

    def stop(self) -> None:
        """Stop; images that were added stay."""
        if self._future:
            self._future.cancel()

    def state(self) -> dict[str, Any]:
        """Return what the page shows: `state`, the last line of progress, and at the end the summary."""
        if self._future is None:
            return {"state": "none"}
        if not self._future.done():
            return {"state": "running", "progress": self._progress}
        try:
            return {"state": "done", "summary": self._future.result()}
        except CancelledError:
            return {"state": "stopped"}
        except CxrError as exc:
            return {"state": "failed", "problem": str(exc)}

    async def _run(self, variables: dict[str, str], options: list[str]) -> dict[str, Any]:
        """Run the command, and return its summary.

        Raises:
            CxrError: It printed none; this is its error.
        """
        process = await asyncio.create_subprocess_exec(
            *(sys.executable, "-m", "mcp_cxr", "pull", "--json", *options),
            env=variables,
            stdin=asyncio.subprocess.DEVNULL,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE,
            limit=_LONGEST_LINE,
        )
        try:
            printed, told = await asyncio.gather(_read(process.stdout), self._follow(process.stderr))
            await process.wait()
        finally:
            await _end(process)
        if not printed:
            raise CxrError((told or "The pull ended without a word.").removeprefix("Error: "))
        return json.loads(printed)

    async def _follow(self, lines: asyncio.StreamReader | None) -> str:
        """Keep the last line as the progress; return it at the end."""
        last = ""
        while lines and (line := (await lines.readline()).decode(errors="replace").strip()):
            self._progress = last = line
        return last


async def _read(stream: asyncio.StreamReader | None) -> bytes:
    return await stream.read() if stream else b""


async def _end(process: asyncio.subprocess.Process) -> None:
    """End the process as a first Ctrl-C does, so that it settles what it has; by force if it takes long."""
    if process.returncode is not None:
        return
    with suppress(ProcessLookupError):
        process.terminate()
    try:
        await asyncio.wait_for(process.communicate(), _END_TIMEOUT_S)
    except TimeoutError:
        process.kill()
        await process.wait()
