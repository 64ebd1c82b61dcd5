"""The check of the data in headless Chromium: lists, images, decisions."""

from __future__ import annotations

import csv
from typing import TYPE_CHECKING

import pytest
from playwright.async_api import expect

from tests.chat.browsing import check_layout, faults
from tests.chat.planted_check import keep_check

if TYPE_CHECKING:
    from tests.chat.conftest import Open
    from tests.server.archives import Ingested

pytestmark = pytest.mark.browser


async def test_the_lists_open_take_decisions_and_show_pairs_side_by_side(open_page: Open, archive: Ingested) -> None:
    keep_check(archive)
    async with open_page() as tab:
        await tab.get_by_role("button", name="Check", exact=True).click()
        await expect(tab.locator(".entry")).to_have_count(24)
        await expect(tab.locator(".entry .frame.ready").first).to_be_visible()
        await check_layout(tab, "check")
        assert await faults(tab) == []
        await tab.get_by_role("group", name="Decision about entry 2", exact=True).get_by_text("Data is wrong").click()
        await expect(tab.locator(".entry [aria-pressed=true]")).to_have_text("Data is wrong")
        await expect(tab.locator(".data-check h2")).to_contain_text("26 found, 1 decided")
        await tab.get_by_role("button", name="Next entries").click()
        await expect(tab.locator(".entry")).to_have_count(2)
        await tab.get_by_role("button", name="Duplicates 1").click()
        await tab.get_by_role("button", name="Compare the images of entry 1").first.click()
        await expect(tab.locator("#overlay")).to_contain_text("2 images side by side")
        await tab.keyboard.press("Escape")
        await expect(tab.locator(".entry.pair")).to_be_visible()
        assert tab.url.endswith("#screen=check&list=duplicates")
        await tab.locator(".check-lists button").last.click()
        await expect(tab.locator(".data-check")).to_contain_text("No study has a date, an age or a sex.")
        async with tab.expect_download() as begun:
            await tab.get_by_role("button", name="Export").click()
        with (await (await begun.value).path()).open(newline="") as opened:
            assert next(csv.DictReader(opened))["decision"] == "wrong"
        await tab.go_back()
        await expect(tab.locator(".entry.pair")).to_be_visible()
