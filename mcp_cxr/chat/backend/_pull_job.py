"""Pulls images from the PACS for the page, with the command `pull`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from mcp_cxr.chat.backend._command_job import CommandJob

if TYPE_CHECKING:
    from mcp_cxr.chat.backend._mcp_client import EventLoopThread


class PullJob(CommandJob):
    """The last pull that the page started, running or not."""

    def __init__(self) -> None:
        super().__init__("pull", busy="Images are being pulled. Wait for the end, or stop it.")
        self._started: dict[str, Any] = {}

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
        days = [*(["--since", since] if since else []), *(["--until", until] if until else [])]
        self.run(loop, variables, [*days, *(["--dry-run"] if dry_run else [])])
        self._started = {"since": since, "until": until, "dry_run": dry_run}

    def state(self) -> dict[str, Any]:
        """Return what the page shows, as `CommandJob.state` does, and the days that were asked for."""
        return {**self._started, **super().state()}
