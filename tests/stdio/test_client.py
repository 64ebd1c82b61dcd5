"""Search, view and ingest through the SDK's client, as a host does."""

from __future__ import annotations

import base64
import io
import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

import anyio
import pytest
from mcp import Client, StdioServerParameters
from PIL import Image

from tests.server.archives import environment, write_small_images
from tests.stdio.conftest import SERVE

if TYPE_CHECKING:
    from mcp_types import CallToolResult

    from tests.server.archives import Ingested

EXAMPLE = Path(__file__).parent.parent.parent / "claude_desktop_config.example.json"
IMAGES = 200


def server(variables: dict[str, str], folder: Path) -> StdioServerParameters:
    return StdioServerParameters(command=SERVE[0], args=SERVE[1:], env=variables, cwd=folder)


def data(result: CallToolResult) -> dict[str, Any]:
    assert result.structured_content, result.content
    return result.structured_content


@pytest.mark.parametrize("mode", ["auto", "legacy"])
async def test_a_host_searches_and_reads_reports_and_images(demo: Ingested, tmp_path: Path, mode: str):
    async with Client(server(demo.environment, tmp_path), mode=mode) as client:
        page = data(await client.call_tool("search_medical_images", {"query": "left pleural effusion"}))
        image_id = page["images"][0]["image_id"]
        shown = data(await client.call_tool("get_image_metadata", {"image_id": image_id}))
        assert shown["labels"]["Pleural Effusion"] == 1
        block, _ = (await client.call_tool("view_image", {"image_id": image_id})).content
        assert block.type == "image"
        with Image.open(io.BytesIO(base64.b64decode(block.data))) as image:
            assert image.size == (shown["tags"]["Columns"], shown["tags"]["Rows"])


async def test_a_host_cancels_an_ingest_and_continues_it(tmp_path: Path):
    images = tmp_path / "images"
    write_small_images(images, IMAGES)
    heard: list[float] = []
    async with Client(server(environment(tmp_path / "data", roots=tmp_path), tmp_path)) as client:
        with anyio.CancelScope() as call:

            async def give_up_in_the_middle(progress: float, total: float | None, message: str | None) -> None:
                heard.append(progress)
                if progress:
                    call.cancel()

            await client.call_tool("ingest_directory", {"path": str(images)}, progress_callback=give_up_in_the_middle)
        assert call.cancelled_caught
        assert heard
        rest = data(await client.call_tool("ingest_directory", {"path": str(images)}))
        overview = data(await client.call_tool("get_archive_overview", {}))
    assert 0 < rest["skipped"] < IMAGES
    assert (rest["skipped"] + rest["added"], rest["remaining"], rest["next"]) == (IMAGES, 0, None)
    assert (overview["images"], overview["studies"], overview["subjects"]) == (IMAGES, IMAGES, IMAGES)


async def test_the_example_for_claude_desktop_starts(demo: Ingested, tmp_path: Path):
    """Its placeholders are filled in, with an archive of this test."""
    entry = json.loads(EXAMPLE.read_text())["mcpServers"]["cxr"]
    variables = {**entry["env"], "MCP_CXR_DATA_DIR": str(demo.data_dir), "MCP_CXR_ROOTS": str(tmp_path)}
    assert Path(entry["command"]).name == "mcp-cxr"
    command = str(Path(SERVE[0]).with_name("mcp-cxr"))
    host = StdioServerParameters(command=command, args=entry["args"], env=variables, cwd="/")
    async with Client(host) as client:
        page = data(await client.call_tool("search_medical_images", {"labels": ["Cardiomegaly"]}))
        assert page["total_results"] > 0
        assert page["images"][0]["report_excerpt"]
        image_id = page["images"][0]["image_id"]
        assert not (await client.call_tool("view_image", {"image_id": image_id, "max_px": 128})).is_error
