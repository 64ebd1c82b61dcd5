"""What a first question loads: no decoder, no ingest and no client of a service that it does not use."""

from __future__ import annotations

import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

from tests.cli.conftest import set_environment

if TYPE_CHECKING:
    from tests.server.archives import Ingested

NOT_NEEDED = [
    *("pydicom", "PIL", "imagecodecs", "requests", "httpx", "onnxruntime", "jinja2", "matplotlib", "tqdm"),
    "spellchecker",  # whose word list takes 35 MB
    *("mcp_cxr.images._read", "mcp_cxr.ingest", "mcp_cxr.evaluate", "mcp_cxr.embeddings.nvclip"),
]
LOADED = f"print('loaded:', [name for name in {NOT_NEEDED} if name in sys.modules])"
SEARCH = f"""
import sys
from mcp_cxr.cli import main
assert main(["search", "pleural effusion"]) == 0
print("mcp" in sys.modules)
{LOADED}
"""
SERVE = f"""
import sys, anyio
from mcp import Client
from mcp_cxr.archive import open_archive
from mcp_cxr.server import build_server
async def ask():
    async with Client(build_server(open_archive)) as client:
        assert not (await client.call_tool("search_medical_images", {{"query": "pleural effusion"}})).is_error
anyio.run(ask)
{LOADED}
"""


@pytest.mark.parametrize("script", [SEARCH, SERVE], ids=["search", "serve"])
def test_the_first_question_loads_nothing_that_it_does_not_need(
    demo: Ingested, monkeypatch: pytest.MonkeyPatch, script: str
) -> None:
    set_environment(monkeypatch, demo.environment)
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True, timeout=120)
    assert done.stdout.splitlines()[-1] == "loaded: []"
    assert "True" not in done.stdout.splitlines()  # the command has no MCP server
