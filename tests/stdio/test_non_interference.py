"""Over stdio too, a model cannot tell archives apart whose reports read to the same findings."""

from __future__ import annotations

from typing import TYPE_CHECKING

from mcp import Client, StdioServerParameters

from mcp_cxr.archive import open_archive
from tests.server.archives import settings
from tests.stdio.conftest import SERVE
from tests.support.twin_calls import Twins, compare

if TYPE_CHECKING:
    from pathlib import Path


async def test_no_call_over_stdio_tells_archives_apart_whose_reports_read_to_the_same_findings(tmp_path: Path) -> None:
    twins = Twins(tmp_path)
    await twins.ingest(open_archive, [settings(one) for one in twins.environments])
    one, other = [
        StdioServerParameters(command=SERVE[0], args=SERVE[1:], env=of, cwd=tmp_path) for of in twins.environments
    ]
    async with Client(one) as first, Client(other) as second:
        await compare(twins, (first, second), calls=60, seed=20, texts_of=("query",))
