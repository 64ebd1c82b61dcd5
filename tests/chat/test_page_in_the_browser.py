"""The page in headless Chromium: its servers, tabs and links, a private page, and an empty archive."""

from __future__ import annotations

import signal
from typing import TYPE_CHECKING

import pytest
from playwright.async_api import expect

from tests.chat.browsing import FIELD, caption, check_layout, faults, held_back, results, search, tiles
from tests.server.archives import write_small_images
from tests.support.chatting import Chatting

if TYPE_CHECKING:
    from pathlib import Path

    from playwright.async_api import Browser

    from tests.chat.conftest import Open
    from tests.server.archives import Ingested

pytestmark = pytest.mark.browser


async def test_a_hanging_server_blocks_nothing_and_a_killed_one_is_restarted(
    open_page: Open, chatting: Chatting
) -> None:
    async with open_page() as tab:
        await search(tab, "pneumothorax")
        chatting.signal_servers(signal.SIGSTOP)
        await tab.get_by_label(FIELD).fill("edema")
        await tab.keyboard.press("Enter")
        await expect(tab.get_by_text("Searching: “edema”")).to_be_visible()
        await tab.get_by_role("button", name="Stop").click()
        await expect(caption(tab, 0)).to_contain_text("pneumothorax")
        await expect(tab.get_by_text("Searching: “edema”")).to_have_count(0)
        chatting.signal_servers(signal.SIGKILL)
        await tab.get_by_label(FIELD).fill("edema")
        await tab.keyboard.press("Enter")
        await expect(tab.locator(".results-head")).to_contain_text("The server has ended")
        await tab.get_by_role("button", name="Restart the server").click()
        await results(tab)
        await expect(tab.locator("#ended")).to_be_hidden()


async def test_two_tabs_are_independent(open_page: Open) -> None:
    async with open_page() as first, open_page() as second:
        await search(first, "pneumothorax")
        await search(second, "pneumothorax")
        await tiles(second).first.locator(".select").click()
        await expect(second.get_by_text("1 selected")).to_be_visible()
        await search(second, "cardiomegaly")
        await first.get_by_role("button", name="Searches").click()
        await expect(first.get_by_role("button", name="“cardiomegaly”")).to_have_count(0)
        await expect(first.get_by_text("1 selected")).to_have_count(0)
        await expect(caption(first, 0)).to_contain_text("pneumothorax")


async def test_a_link_only_reads(open_page: Open, archive: Ingested) -> None:
    before = (archive.data_dir / "archive.sqlite3").read_bytes()
    hostile = "#query=effusion&code2=x&folder=/&like=%3Cimg%20src=x%3E&offset=-1&screen=admin&compare=a&compare=b"
    async with open_page(hostile) as tab:
        await expect(tab.locator("#overlay")).to_be_visible()
    assert (archive.data_dir / "archive.sqlite3").read_bytes() == before


async def test_a_private_page_keeps_nothing_in_the_browser(
    browser: Browser, variables: dict[str, str], tmp_path: Path
) -> None:
    with Chatting(variables, tmp_path, ("--private",)) as chatting:
        profile = await browser.new_context()
        tab = await profile.new_page()
        await tab.goto(chatting.url)
        await tiles(tab).first.wait_for()
        await tab.get_by_label(FIELD).fill("pneumothorax")
        await tab.keyboard.press("Enter")
        await results(tab)
        await tiles(tab).first.locator(".select").click()
        await tiles(tab).first.locator(".open").click()
        await tab.locator(".viewport canvas").first.wait_for()
        kept = await tab.evaluate("JSON.stringify([document.title, history.state, Object.entries(sessionStorage)])")
        assert tab.url == chatting.address
        assert "pneumothorax" not in kept
        assert kept.startswith('["Chest X-rays"')
        assert kept.endswith("[]]")
        assert list(await tab.evaluate("Object.keys(localStorage)")) == ["mcp-cxr-session"]
        await tab.go_back()  # Back works within the page
        await expect(tab.locator("#overlay")).to_be_hidden()
        await expect(tab.get_by_label(FIELD)).to_have_value("pneumothorax")
        await tab.reload()
        await expect(tab.get_by_label(FIELD)).to_have_value("")
        await profile.close()


async def test_an_empty_archive_asks_for_a_folder_and_its_images_are_paged_through(
    browser: Browser, variables: dict[str, str], tmp_path: Path
) -> None:
    write_small_images(folder := tmp_path / "images", 30)
    (folder / "broken.dcm").write_bytes(b"not a DICOM file")
    empty = {**variables, "MCP_CXR_DATA_DIR": str(tmp_path / "archive")}
    with Chatting(empty, tmp_path, (str(folder),)) as chatting:
        tab = await browser.new_page()
        await tab.goto(chatting.url)
        await expect(tab.get_by_label("Folder of images on this machine")).to_have_value(str(folder))
        await check_layout(tab, "empty")
        assert await faults(tab) == []
        async with held_back(tab, "GET", path="ingest") as go_on:
            await tab.get_by_role("button", name="Add", exact=True).click()
            await tab.get_by_label(FIELD).fill("half a word")
            await go_on()
        await expect(tab.locator(".ingest")).to_contain_text("30 images added, 0 skipped, 1 error in")
        await expect(tab.locator(".failures")).to_contain_text("broken.dcm not DICOM")
        await expect(tab.get_by_label(FIELD)).to_have_value("half a word")  # the screen was drawn again
        await check_layout(tab, "added")
        await tab.locator(".count", has_text="PA").click()
        await expect(tab.locator(".page-range")).to_have_text("1\u201324 of 30")
        await tiles(tab).nth(23).locator(".open").click()
        await tab.locator(".viewport canvas").first.wait_for()
        await tab.keyboard.press("ArrowRight")  # on to the next page of results
        await expect(tab.locator("#overlay h1")).to_contain_text("25")
        await tab.keyboard.press("ArrowLeft")
        await expect(tab.locator("#overlay h1")).to_contain_text("24")
        await tab.keyboard.press("Escape")
        await expect(tab.locator(".page-range")).to_have_text("1\u201324 of 30")
        await tab.get_by_role("button", name="Next page").click()
        await expect(tab.locator(".page-range")).to_have_text("25\u201330 of 30")
        await tab.close()
