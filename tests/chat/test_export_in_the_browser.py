"""Tables and files that the page exports, in headless Chromium."""

from __future__ import annotations

import csv
import zipfile
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from playwright.async_api import expect

from mcp_cxr.stores import EmbeddedStore
from tests.chat.browsing import caption, check_layout, faults, results, search, tiles
from tests.support.canary_scores import save_scores

if TYPE_CHECKING:
    from playwright.async_api import Page

    from tests.chat.conftest import Open

pytestmark = pytest.mark.browser


async def test_a_finding_score_filters_orders_and_is_exported_with_its_calibration(
    open_page: Open, variables: dict[str, str], tmp_path: Path
) -> None:
    data = Path(variables["MCP_CXR_DATA_DIR"])
    probes = data / "probes.npz"
    async with EmbeddedStore(data) as store:
        save_scores(probes, [one.image.image_id for one in await store.images_after(None, limit=1000)], seed=1)
    try:
        async with open_page() as tab:
            await tab.get_by_role("button", name="Filters").click()
            await tab.get_by_label("Finding score").fill("Edema>0.4; canary1<0.9")
            await tab.get_by_role("button", name="Apply").click()
            await results(tab)
            await expect(tab.get_by_label("Filters in force").locator("li")).to_have_count(3)
            await expect(tab.locator(".results-head")).to_contain_text("Score of Edema: learned from 51 images with it")
            await expect(tab.locator(".results-head")).to_contain_text("not a diagnosis")
            await expect(tab.locator(".results-head h1")).to_contain_text("by the score of Edema>0.4")
            await expect(caption(tab, 0)).to_contain_text("score of Edema 0.")
            await check_layout(tab, "scores")
            assert await faults(tab) == []
            rows = await exported(tab, "Table (CSV)", tmp_path / "scored.csv", everything=True)
            scores = [float(row["why"].split(";")[0].removeprefix("score of Edema ")) for row in rows]
            assert scores == sorted(scores, reverse=True)
            assert min(scores) > 0.4
            assert "scores: Edema>0.4, canary1<0.9" in rows[0]["filters"]
            await tab.reload()
            await results(tab)
            await tab.get_by_role("button", name="Remove the filter: score of Edema>0.4").click()
            await expect(caption(tab, 0)).to_contain_text("score of canary1 0.")
    finally:
        probes.unlink()


async def test_a_selection_and_all_matches_are_exported(open_page: Open, tmp_path: Path) -> None:
    async with open_page() as tab:
        await search(tab, "pleural effusion")
        for number in (2, 0):
            await tiles(tab).nth(number).locator(".select").click()
        await expect(tab.get_by_text("2 selected")).to_be_visible()
        await tab.reload()  # the selection stays
        await expect(tab.get_by_text("2 selected")).to_be_visible()
        rows = await exported(tab, "Table (CSV)", tmp_path / "selected.csv")
        assert [row["rank"] for row in rows] == ["1", "3"]
        assert rows[0]["question"] == "pleural effusion"
        await tab.get_by_role("button", name="Export").click()
        await check_layout(tab, "export")
        assert await faults(tab) == []
        originals = tab.get_by_role("button", name="Original files (ZIP)")
        await expect(originals).to_be_disabled()
        await tab.get_by_label("headers may hold names").check()
        async with tab.expect_download() as started:
            await originals.click()
        await (await started.value).save_as(tmp_path / "originals.zip")
        with zipfile.ZipFile(tmp_path / "originals.zip") as packed:
            assert [name[:4] for name in packed.namelist()] == ["resu", "001_", "003_"]
        await tab.get_by_role("button", name="Export").click()
        await tab.get_by_label("that match, one image per study").check()
        await tab.keyboard.press("Escape")
        all_rows = await exported(tab, "Table (CSV)", tmp_path / "all.csv", everything=True)
        assert len(all_rows) > 2
        await search(tab, "pneumothorax")  # a selection belongs to its search
        await expect(tab.get_by_text("2 selected")).to_have_count(0)


async def exported(tab: Page, button: str, place: Path, *, everything: bool = False) -> list[dict[str, Any]]:
    """Export a table; return its rows."""
    await tab.get_by_role("button", name="Export").click()
    if everything:
        await tab.get_by_label("Export all").check()
    async with tab.expect_download() as started:
        await tab.get_by_role("button", name=button).click()
    await (await started.value).save_as(place)
    with place.open(newline="") as file:
        return list(csv.DictReader(file))
