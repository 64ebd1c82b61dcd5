"""Runs a command for the page in a process of its own, one at a time, for all tabs."""

from __future__ import annotations

import asyncio
import json
import sys
from concurrent.futures import CancelledError
from contextlib import suppress
from typing import TYPE_CHECKING, Any

from mcp_cxr.errors import CxrError

if TYPE_CHECKING:
    from collections.abc import Sequence
    from concurrent.futures import Future

    from mcp_cxr.chat.backend._mcp_client import EventLoopThread

_LONGEST_LINE = 2**16
_END_TIMEOUT_S = 30.0


class CommandJob:
    """The last run of a command that the page started, running or not.

    Args:
        command: Of `mcp-cxr`.
        busy: What to say if it is to be started while it runs.
    """

    def __init__(self, command: str, *, busy: str) -> None:
        self._command = command
        self._busy = busy
        self._future: Future[dict[str, Any]] | None = None
        self._progress = ""

    @property
    def is_running(self) -> bool:
        """Whether the command is running."""
        return self._future is not None and not self._future.done()

    def run(
        self, loop: EventLoopThread, variables: dict[str, str], options: Sequence[str], *, prints_json: bool = True
    ) -> None:
        """Start the command.

        Args:
            loop: Runs the process.
            variables: Its environment.
            options: After the command.
            prints_json: Whether it prints a summary; else the summary is empty.

        Raises:
            CxrError: It is running.
        """
        if self.is_running:
            raise CxrError(self._busy)
        self._progress = ""
        self._future = loop.start(self.result(variables, options, prints_json=prints_json))

    def stop(self) -> None:
        """Stop; what was done stays."""
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

    async def result(
        self, variables: dict[str, str], options: Sequence[str], *, prints_json: bool = True
    ) -> dict[str, Any]:
        """Run the command to its end, and return its summary; arguments as for `run`.

        Raises:
            CxrError: It failed; this is its error.
        """
        process = await asyncio.create_subprocess_exec(
            *(sys.executable, "-m", "mcp_cxr", self._command, *(["--json"] if prints_json else []), *options),
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
            raise CxrError(
                (
                    told or f"`mcp-cxr {self._command}` ended without a message; see the terminal of `mcp-cxr chat`."
                ).removeprefix("Error: ")
            )
        return json.loads(printed) if prints_json else {}

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
