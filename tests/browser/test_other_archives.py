"""Archives other than the demo's: hostile texts, a large image, one without spacing, images that are not shared."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import pytest
from mcp import Client

from mcp_cxr.archive import open_archive
from mcp_cxr.server import build_server
from tests.browser.hosting import shown
from tests.browser.test_image_viewer import at_full_size, choose_preset, drag, measured, middle_of, seen
from tests.server.archives import environment, settings
from tests.support import image_files
from tests.unit.images.making import radiograph

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from numpy.typing import NDArray
    from playwright.async_api import Browser

    from mcp_cxr.settings import Settings

pytestmark = pytest.mark.browser

SCRIPT = "<img src=x onerror=\"document.title='taken'\">"  # as long as a header allows
SHOWN = SCRIPT.replace("<", "\u2039")
"""As the server gives it."""
REPORT = f"""
 FINDINGS:
 There is a left pleural effusion {SCRIPT}<script>document.title='taken'</script>. The heart is normal & 1 < 2.

 IMPRESSION: </script><svg onload=alert(1)> Effusion.
"""


@dataclass(frozen=True, slots=True)
class Other:
    """An archive with a hostile image, a large one, and a PNG."""

    settings: Settings
    large: NDArray[np.uint16]


@pytest.fixture(scope="module")
async def other(anyio_backend: str, tmp_path_factory: pytest.TempPathFactory) -> Other:
    folder = tmp_path_factory.mktemp("other")
    kept = environment(folder / "data", share="reports,images") | {"MCP_CXR_IDS": "keep"}
    names = {"PatientID": f"7{SCRIPT}", "StudyDescription": SCRIPT, "Manufacturer": "<b>Maker</b>"}
    image_files.dicom(folder / "in" / f"hostile & {SCRIPT}.dcm", 1, **names)
    large = radiograph(1528, 1272)
    path = image_files.mimic_place(folder / "in", 5)
    path.parent.mkdir(parents=True)
    image_files.write_dicom(path, large, PixelSpacing=[0.15, 0.15], PatientID="5", SOPInstanceUID="2.25.5")
    image_files.report(path, REPORT)
    image_files.plain(folder / "in" / "plain.png", 3)
    made = Other(settings(kept), large)
    async with open_archive(made.settings) as archive:
        summary = await archive.ingest(folder / "in")
        assert summary.added == 3, summary.errors_by_reason
    return made


@pytest.fixture
async def other_client(other: Other) -> AsyncIterator[Client]:
    server = build_server(lambda: open_archive(other.settings), share=("reports", "images"))
    async with Client(server) as client:
        yield client


ALL = {"view": ["PA", "AP", "LATERAL", "OTHER", "UNKNOWN"], "group": "none", "limit": 10}


async def test_hostile_texts_stay_texts(browser: Browser, other_client: Client):
    async with shown(browser, other_client, question=ALL) as page:
        await page.ready()
        assert "\u2039svg onload=alert(1)>" in await page.find(".cards").inner_text()
        found = (await other_client.call_tool("search_medical_images", ALL)).structured_content
        assert found
        for hit in found["images"]:
            hit |= {"subject_id": SCRIPT, "study_id": SCRIPT, "why": [SCRIPT], "report_excerpt": SCRIPT}
        armed = {"method": "ui/notifications/tool-result", "params": {"content": [], "structuredContent": found}}
        await page.page.evaluate("(armed) => hosting.send(armed)", armed)  # as from another server
        await page.find(".ids").get_by_text(SCRIPT).first.wait_for()
        for place in range(await page.find(".card").count()):
            await page.open_image(place)
            await page.find(".panel dl").first.wait_for()
            await page.button("Back to the results").click()
        await page.find("input[type=search]").fill(SCRIPT + " effusion")
        await page.page.keyboard.press("Enter")
        await page.find(".understood").wait_for()
        await page.open_image()
        await page.find("mark").first.wait_for()
        report = await page.find(".panel").inner_text()
        assert SHOWN in report
        assert "</script><svg onload=alert(1)>".replace("<", "\u2039") in report
        made = await page.frame.evaluate(
            "() => [document.title, document.querySelectorAll('img, script, svg[onload], b b').length]"
        )
        assert made == ["Chest X-rays", 1]  # the page's own script


async def test_a_large_image_loads_finer_tiles_only_where_it_is_zoomed(
    browser: Browser, other_client: Client, other: Other
):
    async with shown(browser, other_client, question={"subject_id": "p10000005"}) as page:
        await page.ready()
        await page.open_image()
        await at_full_size(page)
        await choose_preset(page, "Full range")
        low, high = int(other.large.min()), int(other.large.max())
        part = (await middle_of(page, other.large)).astype(float)
        assert np.array_equal(await seen(page), np.floor((part - low) / (high - low) * 255 + 1e-6).astype(np.uint8))
        asked = await page.asked("get_image_pixels")
        tiles = {tuple(one["tile"]) for one in asked if "tile" in one}
        assert {(1, 1)} <= tiles < {(column, row) for column in range(3) for row in range(3)}  # not the whole image
        assert sum("tile" in one for one in asked) == len(tiles)  # none twice


async def test_without_spacing_the_ruler_counts_pixels(browser: Browser, other_client: Client):
    async with shown(browser, other_client, question=ALL) as page:
        await page.ready()
        names = await page.find(".card .title").all_inner_texts()
        images = await page.find("button.thumbnail").count()
        assert images == len(names) == 3
        for place in range(images):
            await page.open_image(place)
            await page.find(".panel dl").first.wait_for()
            if "Pixel spacing" not in await page.find(".panel").inner_text():
                break
            await page.button("Back to the results").click()
        await at_full_size(page)
        await page.page.keyboard.press("m")
        await drag(page, 30, 40)
        assert await measured(page) == "Measured 50.0 px."


async def test_unshared_images_are_reported_and_the_rest_is_shown(browser: Browser, other: Other):
    server = build_server(lambda: open_archive(other.settings), share=("reports",))
    async with Client(server) as client, shown(browser, client, question=ALL) as page:
        await page.ready()
        await page.find(".notices").filter(has_text="add images to MCP_CXR_SHARE").wait_for()
        assert await page.find("canvas").count() == 0
        await page.find("button[aria-label^='Report and details']").first.click()
        await page.find(".panel dl").first.wait_for()
        assert "add images to MCP_CXR_SHARE" in await page.find(".panel").inner_text()
        assert await page.find(".toolbar").count() == 0
        await page.page.keyboard.press("Escape")
        await page.find(".card").first.wait_for()


async def test_unshared_reports_are_reported(browser: Browser, other: Other):
    server = build_server(lambda: open_archive(other.settings), share=("images",))
    async with Client(server) as client, shown(browser, client, question={"query": "effusion"}) as page:
        await page.ready()
        assert "add reports to MCP_CXR_SHARE" in await page.find(".notices").inner_text()
        await page.open_image()
        await page.find(".panel .notices").filter(has_text="add reports to MCP_CXR_SHARE").wait_for()
        assert not re.search("effusion", await page.find(".panel dl").first.inner_text())
