"""Checks the data for the page, and writes the table of its entries, with the command `check-data`."""

from __future__ import annotations

from typing import TYPE_CHECKING

from mcp_cxr.chat.backend._command_job import CommandJob

if TYPE_CHECKING:
    from pathlib import Path

    from mcp_cxr.chat.backend._mcp_client import EventLoopThread


class DataCheckJob(CommandJob):
    """The last check of the data that the page started, running or not."""

    def __init__(self) -> None:
        super().__init__("check-data", busy="The data is being checked. Wait for the end, or stop it.")

    def start(self, loop: EventLoopThread, variables: dict[str, str]) -> None:
        """Start to check the data.

        Raises:
            CxrError: It is being checked.
        """
        self.run(loop, variables, [], prints_json=False)

    @staticmethod
    async def write_table(variables: dict[str, str], path: Path) -> None:
        """Write all decisions and entries of the last check as CSV.

        Raises:
            CxrError: There is no check.
        """
        await CommandJob("check-data", busy="").result(variables, ["--last", "--csv", str(path)], prints_json=False)
