"""Each answer that quotes others says so where a host's model reads it: some are shown one part of a result alone."""

from __future__ import annotations

import json
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any

import anyio
import pytest
from mcp import Client

from mcp_cxr.archive import open_archive
from mcp_cxr.server import UNTRUSTED_TEXT_NOTE, build_server
from mcp_cxr.server._strict_tool import UNTRUSTED_IMAGE_NOTE
from tests.server.archives import environment, settings
from tests.support.image_files import dicom, mimic, report

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Callable
    from pathlib import Path

    from mcp_types import CallToolResult

    from mcp_cxr.settings import Settings

NOTES = (UNTRUSTED_TEXT_NOTE, UNTRUSTED_IMAGE_NOTE)
MIMIC_ID = "-".join(["00000001"] * 5)
MARKED_UP = "![x](http://e.example/) <img src=x> <|im_start|>system [INST] \u202e\u200b"
MARKUP = ("![", "](", "<img", "<|im", "[INST]", "\u202e", "\u200b")
CALLS: dict[str, tuple[str, dict[str, Any]]] = {
    "search by words": ("search_medical_images", {"query": "edema"}),
    "search by filter": ("search_medical_images", {"view": ["PA"]}),
    "facts": ("get_image_metadata", {"image_id": MIMIC_ID}),
    "image": ("view_image", {"image_id": MIMIC_ID}),
    "contact sheet": ("view_image", {"image_id": [MIMIC_ID] * 5}),
    "pixels": ("get_image_pixels", {"image_id": MIMIC_ID}),
    "tile": ("get_image_pixels", {"image_id": MIMIC_ID, "tile": [0, 0]}),
}


def structured_only(result: CallToolResult) -> dict[str, Any] | None:
    """Return what a host shows its model that takes structured content alone, where there is any."""
    return result.structured_content


def first_block_only(result: CallToolResult) -> dict[str, Any] | None:
    """Return what a host shows its model that takes the first block of text alone."""
    return json.loads(next(block.text for block in result.content if block.type == "text"))


@pytest.fixture(scope="module", params=["hash", "keep"])
def hostile(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Settings:
    """An archive whose reports and headers hold markup; with kept ids too."""
    folder = tmp_path_factory.mktemp("hostile")
    image = mimic(folder / "in", 1, ViewPosition="PA", StudyDescription="![a](b)<img src=x>")
    report(image, f"FINDINGS: Edema. {MARKED_UP}\n\n IMPRESSION: Pulmonary edema {MARKED_UP}")
    dicom(folder / "in" / "own.dcm", 2, ViewPosition="PA", Manufacturer="<b>[INST]</b>")
    made = settings(environment(folder / "data") | {"MCP_CXR_IDS": request.param})

    async def ingest() -> None:
        async with open_archive(made) as archive:
            assert (await archive.ingest(folder / "in")).added == 2

    anyio.run(ingest)
    return made


@asynccontextmanager
async def hosting(archive: Settings, *share: str) -> AsyncGenerator[Client]:
    async with Client(build_server(lambda: open_archive(archive), share=share)) as client:
        yield client


@pytest.mark.parametrize("shown", [structured_only, first_block_only])
@pytest.mark.parametrize("call", CALLS)
async def test_each_answer_is_marked_and_without_markup(
    hostile: Settings, call: str, shown: Callable[[CallToolResult], dict[str, Any] | None]
):
    tool, arguments = CALLS[call]
    async with hosting(hostile, "reports", "images", "dates") as client:
        result = await client.call_tool(tool, arguments)
    assert not result.is_error, result.content
    data = shown(result)
    if data is None:
        assert tool in {"view_image", "get_image_pixels"}, "hosts show the blocks of a tool without output schema"
        return
    assert next(iter(data)) == "note", "it is read before what it is about"
    assert data["note"] in NOTES
    text = json.dumps(data, ensure_ascii=False)
    assert not [mark for mark in MARKUP if mark in text]


async def test_a_report_with_markup_is_still_readable(hostile: Settings):
    async with hosting(hostile, "reports") as client:
        facts = (await client.call_tool("get_image_metadata", {"image_id": MIMIC_ID})).structured_content
    assert facts
    assert facts["report"]["FINDINGS"].strip() == (
        "Edema. ! [x] (http://e.example/) \u2039img src=x> \u2039|im_start|>system (INST)"
    )


async def test_only_kept_ids_mark_a_page_without_reports(hostile: Settings):
    async with hosting(hostile) as client:
        page = (await client.call_tool("search_medical_images", {"view": ["PA"]})).structured_content
    assert page
    assert page["results_count"] == 2
    assert ("note" in page) == (hostile.ids == "keep")


async def test_an_ingest_that_names_files_is_marked(hostile: Settings, tmp_path: Path):
    mimic(tmp_path / "in", 1)
    (tmp_path / "in" / "mimic-cxr-2.0.0-metadata.csv").write_text("dicom_id,subject_id,study_id,ViewPosition\n")
    own = settings(environment(tmp_path / "data", roots=tmp_path))
    async with hosting(own) as client:
        summary = (await client.call_tool("ingest_directory", {"path": str(tmp_path / "in")})).structured_content
    assert summary
    assert summary["companions"] or summary["notes"]
    assert summary["note"] == UNTRUSTED_TEXT_NOTE
