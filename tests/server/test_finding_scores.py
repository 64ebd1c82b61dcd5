"""Finding scores: a tool of the page's own server alone searches by them; no other server has or shows one."""

from __future__ import annotations

import json
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING

import pytest
from mcp import Client

from mcp_cxr.server import OWNER_SEES_PATHS, build_server
from tests.support.archives import opened_in_memory
from tests.support.planted import fill, planted
from tests.support.toy import DIMENSION, ToyEmbedder

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator
    from pathlib import Path

TOOL = "search_by_finding_score"


@asynccontextmanager
async def client(data: Path, *share: str) -> AsyncGenerator[Client]:
    async with opened_in_memory(data) as archive:
        if not (data / "probes.npz").exists():
            fingerprint = await ToyEmbedder().fingerprint()
            await fill(archive.store, planted(400, dimension=DIMENSION), fingerprint=fingerprint, report="Edema.")
            await archive.fit_probes()
    async with Client(build_server(lambda: opened_in_memory(data), share=share)) as connected:
        yield connected


async def test_the_page_searches_by_score_and_says_what_it_was_learned_from(tmp_path: Path) -> None:
    async with client(tmp_path, "reports", "images", OWNER_SEES_PATHS) as page:
        result = await page.call_tool(TOOL, {"scores": ["Edema>0.5", "Fracture<0.4"], "view": "PA", "limit": 3})
        found = result.structured_content or {}
        first = [hit["why"][:2] for hit in found["images"]]
        values = [float(edema.removeprefix("score of Edema ")) for edema, _ in first]
        assert values == sorted(values, reverse=True)
        assert all(value > 0.5 for value in values)
        assert all(fracture.startswith("score of Fracture 0.") for _, fracture in first)
        assert found["filters"] == {"view": ["PA"]}
        assert any("Score of Edema: learned from" in one and "calibration slope" in one for one in found["warnings"])
        assert any("not a diagnosis" in one for one in found["warnings"])
        refused = await page.call_tool(TOOL, {"scores": ["Edema"]})
        assert refused.is_error
        assert "Cannot read the score condition" in str(refused.content)


@pytest.mark.parametrize("share", [(), ("reports", "images", "dates")])
async def test_a_models_server_has_no_such_tool_and_shows_no_score(tmp_path: Path, share: tuple[str, ...]) -> None:
    async with client(tmp_path, *share) as model:
        tools = (await model.list_tools()).tools
        assert TOOL not in {tool.name for tool in tools}
        assert "finding score" not in json.dumps([tool.model_dump(mode="json") for tool in tools]).lower()
        assert (await model.call_tool(TOOL, {"scores": ["Edema>0.5"]})).is_error
        assert (await model.call_tool("search_medical_images", {"query": "edema", "scores": ["Edema>0.5"]})).is_error
        page = await model.call_tool("search_medical_images", {"query": "edema", "labels": ["Edema"]})
        assert not page.is_error
        assert "score of" not in str(page)
