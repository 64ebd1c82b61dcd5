"""What the page does with answers that come after the user has gone on."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

import pytest
from playwright.async_api import expect

from tests.chat.browsing import FIELD, held_back, results, search, settled, tiles

if TYPE_CHECKING:
    from pathlib import Path

    from playwright.async_api import Page, Route

    from tests.chat.conftest import Open
    from tests.server.archives import Ingested

pytestmark = pytest.mark.browser


async def enter(tab: Page, words: str) -> None:
    """Type words into the field and press Enter."""
    await tab.get_by_label(FIELD).fill(words)
    await tab.get_by_label(FIELD).press("Enter")


async def test_a_slow_first_screen_does_not_cover_the_results_of_a_search(open_page: Open) -> None:
    async with open_page(has_own_clock=True) as tab, held_back(tab, "get_archive_overview") as release:
        await tab.reload()
        await tab.locator("#page").wait_for()
        await search(tab, "left pleural effusion")
        await tab.clock.run_for(1000)  # beyond the time after which a search says that it still runs
        await results(tab)
        await release()
        await expect(tab.locator(".results-head h1")).to_contain_text("match")


async def test_results_that_come_while_an_image_is_open_are_shown_when_it_closes(open_page: Open) -> None:
    async with open_page() as tab:
        await search(tab, "left pleural effusion")
        async with held_back(tab, "search_medical_images") as release:
            await tab.get_by_label(FIELD).fill("cardiomegaly")
            await tab.keyboard.press("Enter")
            await expect(tab.locator(".results-head")).to_contain_text("Searching: ")
            await tiles(tab).first.locator(".open").click()
            await expect(tab.locator("#overlay")).to_be_visible()
            await release()
        await tab.keyboard.press("Escape")
        await expect(tab.locator("#overlay")).to_be_hidden()
        await expect(tab.locator(".read-as")).to_contain_text("cardiomegaly")


async def test_what_is_selected_while_a_search_runs_belongs_to_the_results_that_are_shown(open_page: Open) -> None:
    async with open_page() as tab:
        await search(tab, "pleural effusion")
        async with held_back(tab, "search_medical_images") as release:
            await enter(tab, "cardiomegaly")
            await expect(tab.locator(".results-head")).to_contain_text("Searching: ")
            await tiles(tab).first.locator(".select").click()
            await expect(tab.locator(".results-head")).to_contain_text("Searching: ")
            await release()
        await results(tab)
        await expect(tab.get_by_text("1 selected")).to_have_count(0)
        await tab.go_back()
        await expect(tab.get_by_text("1 selected")).to_be_visible()


async def test_a_file_that_is_found_late_opens_over_nothing_else(open_page: Open, archive: Ingested) -> None:
    async with open_page() as tab, held_back(tab, "get_image_metadata") as release:
        await enter(tab, archive.drawn.images[0].path.name)
        await expect(tab.locator("#message")).to_contain_text("Looking for the file")
        await search(tab, "cardiomegaly")
        await release()
        await expect(tab.locator("#overlay")).to_be_hidden()
        await expect(tab.locator("#message")).to_be_hidden()


async def test_an_upload_that_is_read_late_waits_for_the_user(open_page: Open, archive: Ingested) -> None:
    async with open_page() as tab:
        async with held_back(tab, path="uploads") as release:
            await tab.get_by_role("button", name="By image").click()
            await tab.get_by_label("Your own image").set_input_files(archive.drawn.images[0].path)
            await search(tab, "cardiomegaly")
            await release()
        await expect(tab.locator("#message")).to_contain_text(f"{archive.drawn.images[0].path.name} was read.")
        await expect(tab.get_by_label("Example images")).to_have_count(0)
        await tab.get_by_role("button", name="Find similar").click()
        await expect(tab.get_by_label("Example images")).to_contain_text("Your image")


async def test_an_image_that_is_awaited_does_not_open_over_the_chat(open_page: Open) -> None:
    async with open_page() as tab:
        await search(tab, "pleural effusion")
        await tiles(tab).first.locator(".open").click()
        await tab.locator(".viewport canvas").first.wait_for()
        async with held_back(tab, "search_medical_images") as release:
            await tab.reload()
            await tab.get_by_role("button", name="Chat", exact=True).click()
            await release()
        await expect(tab.locator("#overlay")).to_be_hidden()
        await tab.go_back()
        await expect(tab.locator("#overlay")).to_be_visible()
        await tab.go_forward()
        await expect(tab.locator("#overlay")).to_be_hidden()


async def test_an_image_whose_facts_do_not_come_can_be_closed(open_page: Open) -> None:
    async with open_page() as tab:
        await search(tab, "pleural effusion")
        async with held_back(tab, "get_image_metadata"):
            await tab.evaluate("location.hash += '&image=unknown'")
            await expect(tab.locator("#overlay")).to_contain_text("Loading")
            await tab.keyboard.press("Escape")
            await expect(tab.locator("#overlay")).to_be_hidden()


async def test_a_wall_is_found_again_where_it_was_left_however_soon(open_page: Open) -> None:
    async with open_page(has_own_clock=True) as tab:
        await tab.set_viewport_size({"width": 390, "height": 600})
        await search(tab, "pleural effusion")
        await tab.clock.pause_at(await tab.evaluate("Date.now() + 1000"))  # no timer runs
        wall = tab.locator(".results-body")
        await wall.evaluate("(one) => one.scrollTo(0, 300)")
        await search(tab, "cardiomegaly")
        await tab.go_back()
        await expect(tab.get_by_label(FIELD)).to_have_value("pleural effusion")
        await results(tab)
        assert await wall.evaluate("(one) => one.scrollTop") == 300


async def test_a_count_that_ends_while_results_are_shown_is_there_later(open_page: Open, folder: Path) -> None:
    async with open_page(has_own_clock=True) as tab:
        await tab.get_by_text("Add a folder").click()
        await tab.get_by_label("Folder of images on this machine").fill(str(folder))
        await tab.get_by_role("button", name="Only count").click()
        await search(tab, "effusion")
        await tab.clock.run_for(2000)  # nothing follows the count from here
        await tab.get_by_role("button", name="Search", exact=True).first.click()
        await expect(tab.locator(".ingest")).to_contain_text("30 of 30 images would be added")


async def test_a_yes_to_a_broad_folder_is_for_that_folder_alone(open_page: Open, archive: Ingested) -> None:
    sent: list[Any] = []

    async def refuse_confirmed(route: Route) -> None:
        if route.request.method == "POST":
            sent.append(route.request.post_data_json)
        await (route.fulfill(status=422, body="Not today.") if sent and sent[-1]["takes_broad"] else route.continue_())

    async with open_page() as tab:
        await tab.route("**/api/ingest", refuse_confirmed)
        await tab.get_by_text("Add a folder").click()
        field = tab.get_by_label("Folder of images on this machine")
        await field.fill(str(archive.data_dir))
        await tab.get_by_role("button", name="Only count").click()
        await expect(tab.locator(".ingest")).to_contain_text("data folder")
        await field.fill("/")
        await tab.get_by_role("button", name="Take this folder").click()
        await expect(tab.locator(".ingest")).to_contain_text("Not today.")
        await tab.unroute_all(behavior="ignoreErrors")
    assert [one["folder"] for one in sent] == [str(archive.data_dir)] * 2


async def test_a_search_that_is_being_saved_is_listed(open_page: Open) -> None:
    async with open_page() as tab:
        await search(tab, "edema")
        async with held_back(tab, "POST", path="queries") as release:
            await tab.get_by_role("button", name="Searches").click()
            await tab.get_by_role("button", name="Save “edema”").click()
            await tab.get_by_role("button", name="Searches").click()
            panel = tab.get_by_role("dialog", name="Searches")
            await expect(panel.get_by_role("button", name="“edema”", exact=True)).to_have_count(1)  # the recent one
            await settled(tab)
            await release()
        await expect(panel.get_by_role("button", name="“edema”", exact=True)).to_have_count(2)
        await panel.get_by_role("button", name="Delete the saved search").click()
        await expect(panel.get_by_role("button", name="“edema”", exact=True)).to_have_count(1)


async def test_an_export_that_fails_after_its_panel_was_closed_says_so(open_page: Open) -> None:
    closed = asyncio.Event()

    async def fail(route: Route) -> None:
        await closed.wait()
        await route.fulfill(status=422, body="The disk is full.")

    async with open_page() as tab:
        await search(tab, "pleural effusion")
        await tab.route("**/api/export", fail)
        await tab.get_by_role("button", name="Export").click()
        await tab.get_by_role("button", name="Table (CSV)").click()
        await tab.keyboard.press("Escape")
        await search(tab, "cardiomegaly")
        closed.set()
        await expect(tab.locator("#message")).to_have_text("images.csv was not made: The disk is full.")
