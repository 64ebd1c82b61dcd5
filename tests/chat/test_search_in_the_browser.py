"""The search in headless Chromium: `mcp-cxr chat` as a process with its servers.

`REFRESH_SNAPSHOTS=1` takes new pictures for docs, and others of every step, width and theme in build/screenshots, to
be looked at.
"""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING

import pytest
from playwright.async_api import expect

from tests.chat.browsing import FIELD, caption, check_layout, faults, loaded, results, search, tiles

if TYPE_CHECKING:
    from pathlib import Path

    from tests.chat.conftest import Open
    from tests.server.archives import Ingested

pytestmark = pytest.mark.browser

ALL = "#view=FRONTAL&view=LATERAL&view=OTHER&view=UNKNOWN&group=none"
GRAYS = """(canvas) => {
    const copy = new OffscreenCanvas(200, 200).getContext("2d");
    copy.drawImage(canvas, 0, 0, 200, 200);
    return new Set(copy.getImageData(0, 0, 200, 200).data).size;
}"""
VISIBLE = """() => [...document.querySelectorAll(".tile")]
    .map((one) => one.getBoundingClientRect())
    .filter((box) => box.top >= 0 && box.bottom <= innerHeight).length"""
FOCUSED = "() => document.activeElement.getAttribute('aria-label') ?? document.activeElement.textContent"


async def test_the_first_screen_leads_to_searches(open_page: Open) -> None:
    async with open_page() as tab:
        await expect(tab.get_by_text("12 studies")).to_be_visible()
        await expect(tab.locator(".questions button")).to_have_count(2)
        await loaded(tab)
        await check_layout(tab, "home")
        assert await faults(tab) == []
        await tab.locator(".count", has_text="Cardiomegaly").click()
        await results(tab)
        await expect(tab.get_by_label("Filters in force")).to_contain_text("Cardiomegaly")
        assert tab.url.endswith("#labels=Cardiomegaly")
        await tab.get_by_role("button", name="Clear all").click()
        await tab.locator(".questions button").first.click()
        await results(tab)
        await expect(tab.locator(".results-head h1")).to_contain_text("match")


async def test_a_wall_of_images_at_every_width(open_page: Open) -> None:
    async with open_page(ALL) as tab:
        await results(tab)
        for width, count in ((1280, 12), (800, 6), (390, 2)):
            await tab.set_viewport_size({"width": width, "height": 900})
            await loaded(tab)
            assert await tab.evaluate(VISIBLE) >= count, width
        first, second = [await tiles(tab).nth(number).bounding_box() for number in (0, 1)]
        assert first
        assert second
        assert first["y"] == second["y"]  # two a row
        await check_layout(tab, "all")


async def test_thumbnails_are_no_black_tiles_before_they_are_read(open_page: Open) -> None:
    async with open_page() as tab:
        await tab.route("**/api/rendering**", lambda route: None)  # never answered
        await search(tab, "pneumothorax")
        background = "(one) => getComputedStyle(one).backgroundColor"
        assert await tiles(tab).first.locator(".frame").evaluate(background) != "rgb(0, 0, 0)"
        await expect(tiles(tab).first.locator(".frame")).to_contain_text("PA")
        await tab.unroute_all(behavior="ignoreErrors")


async def test_an_image_opens_over_the_page_and_closing_returns_to_its_place(open_page: Open) -> None:
    async with open_page() as tab:
        await search(tab, "left pleural effusion")
        await loaded(tab)
        await expect(tab.get_by_text("Read as: pleural effusion, left")).to_be_visible()
        await check_layout(tab, "results")
        await tiles(tab).nth(1).locator(".open").click()
        canvas = tab.locator(".viewport canvas[aria-busy=false]").first  # drawn
        await canvas.wait_for()
        assert await canvas.evaluate(GRAYS) > 50
        await expect(tab.locator("mark").first).to_contain_text("effusion")
        await check_layout(tab, "image")
        assert await faults(tab) == []
        opened = tab.url
        await tab.keyboard.press("ArrowRight")
        await expect(tab.locator("#overlay h1")).to_contain_text("3")
        assert tab.url != opened
        await tab.reload()  # the work is taken up where it was
        await expect(tab.locator("#overlay h1")).to_contain_text("3")
        await tab.keyboard.press("Escape")
        await expect(tab.locator("#overlay")).to_be_hidden()
        assert str(await tab.evaluate(FOCUSED)).startswith("Open image 3")
        assert tab.url.endswith("#query=left+pleural+effusion")


async def test_back_and_forward_go_through_searches_and_images(open_page: Open) -> None:
    async with open_page() as tab:
        await search(tab, "pneumothorax")
        await search(tab, "cardiomegaly")
        await tiles(tab).first.locator(".open").click()
        await tab.locator(".viewport canvas").first.wait_for()
        await tab.go_back()
        await expect(tab.locator("#overlay")).to_be_hidden()
        await tab.go_back()
        await expect(tab.get_by_label(FIELD)).to_have_value("pneumothorax")
        await expect(caption(tab, 0)).to_contain_text("pneumothorax")
        await tab.go_forward()
        await expect(tab.get_by_label(FIELD)).to_have_value("cardiomegaly")


async def test_images_side_by_side_say_the_days_between_after_a_reload_too(open_page: Open, archive: Ingested) -> None:
    studies = Counter(image.subject_id for image in {one.study_id: one for one in archive.drawn.images}.values())
    async with open_page(f"#subject_id={studies.most_common(1)[0][0]}&view=PA") as tab:
        await tiles(tab).first.locator(".open").click()
        await tab.get_by_role("navigation", name="Compare with another study").get_by_role("button").first.click()
        names = tab.locator(".readout.name")
        await expect(names.nth(1)).to_contain_text("days ")
        shown = await names.all_inner_texts()
        await tab.reload()
        await expect(names.nth(1)).to_contain_text("days ")
        assert await names.all_inner_texts() == shown


async def test_everything_works_by_keys_alone(open_page: Open) -> None:
    async with open_page() as tab:
        press = tab.keyboard.press
        await tab.get_by_label(FIELD).focus()
        await tab.keyboard.type("pleural effusion")
        await press("Enter")
        await results(tab)
        while not str(await tab.evaluate(FOCUSED)).startswith("Open image 1:"):
            await press("Tab")
        await press("x")
        await press("ArrowRight")
        await press("x")
        await press("ArrowLeft")
        assert str(await tab.evaluate(FOCUSED)).startswith("Open image 1:")
        while await tab.evaluate(FOCUSED) != "Compare":
            await press("Shift+Tab")
        await press("Enter")
        await tab.locator(".viewport canvas").nth(1).wait_for()
        assert tab.url.count("compare=") == 2
        await check_layout(tab, "compare")
        await press("Escape")
        await expect(tab.locator("#overlay")).to_be_hidden()
        while not str(await tab.evaluate(FOCUSED)).startswith("Filters"):
            await press("Shift+Tab")
        await press("Enter")
        await expect(tab.get_by_label("Label present")).to_be_visible()
        await check_layout(tab, "filters")
        assert await faults(tab) == []
        await press("Escape")
        await expect(tab.get_by_label("Label present")).to_be_hidden()
        assert str(await tab.evaluate(FOCUSED)).startswith("Filters")


async def test_a_window_preset_by_number_and_a_ruler_that_says_where_it_measures(open_page: Open) -> None:
    async with open_page() as tab:
        await search(tab, "left pleural effusion")
        await tiles(tab).first.locator(".open").click()
        canvas = tab.locator(".viewport canvas").first
        await canvas.focus()
        presets = tab.get_by_label("Window preset")
        assert "Lungs" in await presets.inner_text()
        before = await canvas.screenshot()
        await tab.keyboard.press("2")
        await expect(presets).to_have_value("1")
        assert await canvas.screenshot() != before
        await tab.keyboard.press("1")
        await expect(tab.locator(".readout").first).to_contain_text("Default window")
        await tab.keyboard.press("m")
        for key in ("Enter", "Shift+ArrowRight", "Enter"):
            await tab.keyboard.press(key)
        await expect(tab.locator("#status")).to_contain_text("mm at detector")


async def test_filters_narrow_the_search_and_are_cleared_together(open_page: Open) -> None:
    async with open_page() as tab:
        await search(tab, "effusion")
        await tab.get_by_role("button", name="Filters").click()
        await tab.locator(".chip", has_text="PA").click()
        await tab.get_by_label("Label present").select_option("Pleural Effusion")
        await tab.get_by_role("button", name="Apply").click()
        chips = tab.get_by_label("Filters in force")
        await expect(chips.locator("li")).to_have_count(3)
        await expect(tab.get_by_role("button", name="Filters (2)")).to_be_visible()
        for number in range(await tiles(tab).count()):
            await expect(caption(tab, number)).to_contain_text("PA")
        await chips.get_by_role("button", name="Remove the filter: PA").click()
        await expect(chips.locator("li")).to_have_count(2)
        await chips.get_by_role("button", name="Clear all").click()
        await expect(chips).to_have_count(0)
        assert tab.url.endswith("#query=effusion")


async def test_a_refused_search_is_told_without_names_of_variables_and_tried_again(open_page: Open) -> None:
    async with open_page("#query=effusion&date_from=yesterday") as tab:
        await expect(tab.locator(".results-head")).to_contain_text("Date from must be a date")
        await tab.get_by_role("button", name="Try again").click()
        await expect(tab.locator(".results-head")).to_contain_text("Date from must be a date")
        await tab.get_by_role("button", name="Clear all").click()
        await results(tab)


async def test_more_and_less_like_this(open_page: Open) -> None:
    async with open_page() as tab:
        await search(tab, "pleural effusion")
        await tiles(tab).nth(1).hover()
        await tab.get_by_role("button", name="Not like this: image 2").click()
        await expect(tab.get_by_label("Example images")).to_contain_text("Not like this")
        await tiles(tab).first.hover()
        await tab.get_by_role("button", name="More like this: image 1", exact=True).click()
        await expect(tab.get_by_label("Example images").locator("li")).to_have_count(2)
        await expect(tab.locator(".results-head h1")).to_contain_text("by pixels and words")
        await tab.get_by_role("button", name="Remove the example").first.click()
        await expect(tab.get_by_label("Example images").locator("li")).to_have_count(1)


async def test_an_upload_stands_beside_its_results_or_is_refused_with_the_reason(
    open_page: Open, archive: Ingested, tmp_path: Path
) -> None:
    image = next(one for one in archive.drawn.images if one.syntax == "explicit")
    (own := tmp_path / "IM000001").write_bytes(image.path.read_bytes())
    (text := tmp_path / "notes").write_text("not an image")
    async with open_page() as tab:
        await tab.get_by_role("button", name="By image").click()
        await tab.get_by_label("Your own image").set_input_files(own)
        examples = tab.get_by_label("Example images")
        await expect(examples).to_contain_text("Your image IM000001")
        await expect(examples.locator("img")).to_have_count(1)
        assert await tiles(tab).first.get_attribute("data-image") == image.image_id
        await tab.reload()
        await expect(examples).to_contain_text("Your image IM000001")
        await tab.get_by_role("button", name="By image").click()
        await tab.get_by_label("Your own image").set_input_files(text)
        await expect(tab.locator("#message")).to_contain_text("notes was not taken: ")


async def test_a_file_is_found_again_and_its_path_is_copied(open_page: Open, archive: Ingested) -> None:
    image = archive.drawn.images[0]
    async with open_page() as tab:
        await tab.context.grant_permissions(["clipboard-read", "clipboard-write"])
        await tab.get_by_label(FIELD).fill(image.path.name)
        await tab.keyboard.press("Enter")
        await tab.locator(".viewport canvas").first.wait_for()
        assert tab.url.endswith(f"image={image.image_id}")
        await tab.get_by_role("button", name="Copy path").click()
        assert await tab.evaluate("navigator.clipboard.readText()") == str(image.path)
        await tab.keyboard.press("Escape")
        await expect(tab.get_by_label(FIELD)).to_have_value("")  # what the wall shows
        await tab.get_by_label(FIELD).fill(image.path.stem)
        await tab.keyboard.press("Enter")
        await expect(tab.locator("#overlay")).to_be_visible()
        await tab.keyboard.press("Escape")
        await search(tab, "ward_2")  # words: there is no such file
        await tab.get_by_label(FIELD).fill("nowhere.dcm")
        await tab.keyboard.press("Enter")
        await expect(tab.locator("#message")).to_contain_text("no image of the file nowhere.dcm")
        await search(tab, "pneumothorax")
        await expect(tab.locator("#message")).to_be_hidden()


async def test_searches_are_repeated_saved_and_deleted(open_page: Open) -> None:
    async with open_page() as tab:
        await search(tab, "pneumothorax")
        await tab.get_by_role("button", name="Searches").click()
        await tab.get_by_role("button", name="Save “pneumothorax”").click()
        await search(tab, "cardiomegaly")
        await tab.get_by_role("button", name="Searches").click()
        panel = tab.get_by_role("dialog", name="Searches")
        await expect(panel.get_by_role("button", name="“pneumothorax”", exact=True)).to_have_count(2)
        await check_layout(tab, "searches")
        await panel.get_by_role("button", name="“pneumothorax”", exact=True).first.click()
        await expect(panel).to_be_hidden()
        await expect(tab.get_by_label(FIELD)).to_have_value("pneumothorax")
        await tab.get_by_role("button", name="Searches").click()
        await panel.get_by_role("button", name="Delete the saved search").click()
        await expect(panel.get_by_role("button", name="“pneumothorax”", exact=True)).to_have_count(1)
