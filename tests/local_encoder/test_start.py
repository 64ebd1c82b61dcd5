"""What a start costs: nothing of onnxruntime before the first vector, and a handshake before any model."""

from __future__ import annotations

import subprocess
import sys
from typing import TYPE_CHECKING

import anyio
from mcp import Client, StdioServerParameters

from tests.support.encoders import TinyEncoder

if TYPE_CHECKING:
    from pathlib import Path

HEAVY = "{'onnxruntime', 'tokenizers', 'onnx'}"


def test_an_archive_opens_without_the_libraries_of_the_local_encoder(tmp_path: Path):
    script = f"""
import sys, anyio
from mcp_cxr.archive import open_archive
async def main():
    async with open_archive() as archive:
        await archive.overview()
anyio.run(main)
print(sorted(set(sys.modules) & {HEAVY}))
"""
    variables = {
        "MCP_CXR_EMBEDDER": "local",
        "MCP_CXR_MODEL_DIR": str(tmp_path / "missing"),
        "MCP_CXR_DATA_DIR": str(tmp_path / "data"),
    }
    done = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, check=True, timeout=120, env=variables
    )
    assert done.stdout == "[]\n"


async def test_serve_answers_while_the_model_folder_is_missing_and_searches_once_it_is_there(tmp_path: Path):
    folder = tmp_path / "model"
    variables = {
        "MCP_CXR_EMBEDDER": "local",
        "MCP_CXR_MODEL_DIR": str(folder),
        "MCP_CXR_DATA_DIR": str(tmp_path / "data"),
        "MCP_CXR_ROOTS": str(tmp_path),
    }
    server = StdioServerParameters(command=sys.executable, args=["-m", "mcp_cxr", "serve"], env=variables)
    from tests.server.archives import write_small_images

    write_small_images(tmp_path / "images", 3)
    with anyio.fail_after(120):
        async with Client(server) as client:
            assert not (await client.call_tool("get_archive_overview", {})).is_error
            refused = await client.call_tool("ingest_directory", {"path": str(tmp_path / "images")})
            assert refused.is_error
            TinyEncoder().write(folder)
            await client.call_tool("ingest_directory", {"path": str(tmp_path / "images")})
            found = await client.call_tool("search_medical_images", {"query": "left effusion", "mode": "vector"})
    assert found.structured_content, found.content
    assert found.structured_content["search_mode"] == "semantic"
