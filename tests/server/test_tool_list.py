"""The list of tools: names, descriptions, schemas and hints."""

from __future__ import annotations

import difflib
import json
import os
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from jsonschema import Draft202012Validator

from mcp_cxr.records import VIEWER_URI

if TYPE_CHECKING:
    from tests.server.conftest import Host

SNAPSHOT = Path(__file__).with_name("tools.json")
REFRESH = "REFRESH_SNAPSHOTS"
TOOLS = [
    "search_medical_images",
    "get_image_metadata",
    "view_image",
    "get_patient_timeline",
    "get_archive_overview",
    "make_cohort",
    "ingest_directory",
    "get_image_pixels",
]


async def listed(host: Host) -> list[dict[str, Any]]:
    tools = (await host.client.list_tools()).tools
    return [tool.model_dump(mode="json", by_alias=True, exclude_none=True) for tool in tools]


async def test_the_tools_equal_the_snapshot(host: Host):
    found = json.dumps(await listed(host), indent=2, ensure_ascii=False, sort_keys=True) + "\n"
    if os.environ.get(REFRESH):
        SNAPSHOT.write_text(found)
    kept = SNAPSHOT.read_text()
    if found != kept:
        change = difflib.unified_diff(kept.splitlines(), found.splitlines(), "tools.json", "now", lineterm="", n=2)
        pytest.fail("\n".join([f"The tools changed. If that is meant, run once with {REFRESH}=1.", *change]))


async def test_every_tool_is_within_the_limits_of_hosts(host: Host):
    tools = await listed(host)
    assert [tool["name"] for tool in tools] == TOOLS
    for tool in tools:
        assert len(tool["name"]) <= 64
        assert len(tool["description"]) < 1000
        assert tool["title"] == tool["annotations"]["title"]
        assert tool["inputSchema"]["additionalProperties"] is False
        assert all(one["description"] for one in tool["inputSchema"]["properties"].values())
        Draft202012Validator.check_schema(tool["inputSchema"])
        Draft202012Validator.check_schema(tool.get("outputSchema", {}))


async def test_the_list_costs_a_conversation_few_tokens(host: Host):
    """Every host reads the whole list, and most give it to their model in each conversation."""
    tools = {tool["name"]: tokens(tool) for tool in await listed(host)}
    assert sum(tools.values()) <= 4_000
    assert max(tools["get_patient_timeline"], tools["make_cohort"]) <= 450


def tokens(tool: dict[str, Any]) -> float:
    return len(json.dumps(tool, ensure_ascii=False, separators=(",", ":"))) / 4


async def test_two_tools_write_and_nothing_destroys(host: Host):
    hints = {tool["name"]: tool["annotations"] for tool in await listed(host)}
    assert {name for name, hint in hints.items() if not hint["readOnlyHint"]} == {"ingest_directory", "make_cohort"}
    assert all(hint["idempotentHint"] and not hint["destructiveHint"] for hint in hints.values())


async def test_only_tools_that_return_images_have_no_output_schema(host: Host):
    found = [tool["name"] for tool in await listed(host) if "outputSchema" not in tool]
    assert found == ["view_image", "get_image_pixels"]


async def test_search_opens_the_viewer_and_pixels_are_for_the_viewer_only(host: Host):
    meta = {tool["name"]: tool.get("_meta") for tool in await listed(host)}
    assert meta.pop("search_medical_images") == {"ui": {"resourceUri": VIEWER_URI}, "ui/resourceUri": VIEWER_URI}
    assert meta.pop("get_image_pixels") == {"ui": {"visibility": ["app"]}}
    assert not any(meta.values())


async def test_the_server_gives_its_name_and_instructions(host: Host):
    assert host.client.server_info
    assert host.client.server_info.name == "mcp-cxr"
    assert host.client.instructions
    assert len(host.client.instructions) <= 2048
    assert "search_medical_images" in host.client.instructions
