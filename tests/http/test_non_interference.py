"""Over HTTP too, a model cannot tell archives apart whose reports read to the same findings."""

from __future__ import annotations

from typing import TYPE_CHECKING

from mcp_cxr.archive import open_archive
from tests.server.archives import settings
from tests.support.served import Served
from tests.support.twin_calls import Twins, compare

if TYPE_CHECKING:
    from pathlib import Path


async def test_no_call_over_http_tells_archives_apart_whose_reports_read_to_the_same_findings(tmp_path: Path) -> None:
    twins = Twins(tmp_path)
    await twins.ingest(open_archive, [settings(one) for one in twins.environments])
    one, other = twins.environments
    with Served(one, tmp_path) as here, Served(other, tmp_path) as there:
        async with here.client() as first, there.client() as second:
            await compare(twins, (first, second), calls=40, seed=21, texts_of=("query",))
