"""A model that is given no report text cannot tell two archives apart whose reports read to the same findings."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from mcp import Client

from mcp_cxr.archive import open_archive
from mcp_cxr.server import build_server
from tests.server.archives import settings
from tests.support.archives import open_memory_archive, opened
from tests.support.iris import plain_server, variables
from tests.support.twin_calls import Twins, compare

if TYPE_CHECKING:
    from collections.abc import Callable
    from contextlib import AbstractAsyncContextManager
    from pathlib import Path

    from mcp_cxr.archive import Archive
    from mcp_cxr.settings import Settings

CALLS = 70


def _open_with_text_reader(of: Settings) -> AbstractAsyncContextManager[Archive]:
    """The memory store, with an embedder that reads text: vectors rank queries too."""
    key, (root,) = of.key_file, of.roots
    return opened(of.data_dir, store="memory", MCP_CXR_ID_KEY_FILE=str(key), MCP_CXR_ROOTS=str(root))


_OPENERS: dict[str, Callable[[Settings], AbstractAsyncContextManager[Archive]]] = {
    "embedded": open_archive,
    "iris": open_archive,
    "memory": open_memory_archive,
    "embedder reads text": _open_with_text_reader,
}


@pytest.mark.parametrize("kind", _OPENERS)
async def test_no_call_tells_archives_apart_whose_reports_read_to_the_same_findings(kind: str, tmp_path: Path) -> None:
    twins, opener = Twins(tmp_path), _OPENERS[kind]
    both = twins.environments
    if kind == "iris":
        server = plain_server()
        both = [{**one, **variables(server), "IRIS_TABLE": f"Twins.Images{number}"} for number, one in enumerate(both)]
    of_both = [settings(one) for one in both]
    await twins.ingest(opener, of_both)
    share = ("images",) if kind == "memory" else ("images", "dates")
    one, other = [build_server(lambda of=of: opener(of), share=share) for of in of_both]
    async with Client(one) as first, Client(other) as second:
        texts_of = ("query",) if kind == "iris" else ()  # the other stores see the same calls, faster
        answered = await compare(twins, (first, second), calls=CALLS, seed=19, texts_of=texts_of)
        assert answered == {tool.name for tool in (await first.list_tools()).tools}
