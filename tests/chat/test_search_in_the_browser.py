"""The search in headless Chromium: `mcp-cxr chat` as a process with its servers.

`REFRESH_SNAPSHOTS=1` takes new pictures for docs, and others of every step, width and theme in build/screenshots, to
be looked at.
"""

from __future__ import annotations

import csv
import signal
import zipfile
from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from playwright.async_api import expect

from mcp_cxr.stores import EmbeddedStore
from tests.chat.browsing import FIELD, caption, check_layout, faults, held_back, loaded, results, search, tiles
from tests.server.archives import write_small_images
from tests.support.canary_scores import save_scores
from tests.support.chatting import Chatting

if TYPE_CHECKING:
    from playwright.async_api import Browser, Page

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
