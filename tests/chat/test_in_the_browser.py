"""The page in headless Chromium: `mcp-cxr chat` as a process, with its servers and a scripted language model.

`REFRESH_SNAPSHOTS=1` takes new screenshots for docs, and further ones of every page, width and theme in
build/screenshots, to be looked at.
"""

from __future__ import annotations

import csv
import io
import os
import signal
import zipfile
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from PIL import Image
from playwright.async_api import expect

if TYPE_CHECKING:
    from playwright.async_api import Frame, FrameLocator, Locator

    from tests.chat.conftest import Open
    from tests.server.archives import Ingested
    from tests.standins.model import ScriptedModel
    from tests.support.chatting import Chatting

pytestmark = pytest.mark.browser

GRAYS = """(canvas) => {
    const copy = new OffscreenCanvas(200, 200).getContext("2d");
    copy.drawImage(canvas, 0, 0, 200, 200);
    return new Set(copy.getImageData(0, 0, 200, 200).data).size;
}"""
ROOT = Path(__file__).parents[2]
DOCS, BUILD = ROOT / "docs", ROOT / "build" / "screenshots"
WIDTHS = (400, 800, 1200)
THEMES = ("light", "dark")
SCREENSHOTS = {"search-1200-light": "chat-search.png", "talk-1200-dark": "chat-talk.png"}
OVERFLOWING = """() => [...document.querySelectorAll(".stMain *")]
    .filter((one) => one.checkVisibility({ visibilityProperty: true }) && !one.closest("pre, code, svg"))
    .filter((one) => one.getBoundingClientRect().right > document.documentElement.clientWidth + 1)
    .map((one) => one.outerHTML.slice(0, 100))"""
expect.set_options(timeout=30_000)


async def ask(tab: Frame, query: str) -> None:
    await tab.get_by_placeholder("left pleural effusion").fill(query)
    await tab.page.keyboard.press("Enter")
    await tab.get_by_role("button", name=f"“{query}”", exact=True).wait_for()


def cards(tab: Frame) -> Locator:
    return tab.locator(".st-key-gallery > *")


def viewer(tab: Frame) -> FrameLocator:
    return tab.frame_locator("iframe[title=Viewer]")


async def go_to(tab: Frame, page: str) -> None:
    await tab.get_by_role("radio", name=page).click()


async def test_a_hit_opens_in_the_viewer(open_page: Open) -> None:
    async with open_page() as tab:
        await ask(tab, "left pleural effusion")
        await expect(cards(tab).locator("img")).to_have_count(5)
        await tab.wait_for_function("() => [...document.images].every((one) => one.naturalWidth > 100)")
        await expect(tab.get_by_text("report: moderate left pleural effusion", exact=False).first).to_be_visible()
        await check_layout(tab, "search")
        await cards(tab).first.get_by_role("button", name="Open").click()
        canvas = viewer(tab).locator(".viewport canvas").first
        await canvas.wait_for()
        await expect(viewer(tab).locator("mark").first).to_contain_text("effusion")
        await expect(viewer(tab).locator(".viewport.loading")).to_have_count(0)
        assert await canvas.evaluate(GRAYS) > 50
        shown, card = await tab.locator("iframe[title=Viewer]").bounding_box(), await cards(tab).first.bounding_box()
        assert shown
        assert card
        assert shown["y"] + shown["height"] <= card["y"]
        await viewer(tab).get_by_role("button", name="Full screen").click()
        await tab.page.wait_for_function("() => document.fullscreenElement?.tagName === 'IFRAME'")
        await viewer(tab).get_by_role("button", name="Full screen").click()
        await tab.page.wait_for_function("() => !document.fullscreenElement")
        await tab.get_by_role("button", name="Close the viewer").click()
        await expect(tab.locator("iframe[title=Viewer]")).to_have_count(0)
        await go_to(tab, "Archive")
        await tab.get_by_text("Studies by label (present)").wait_for()
        await check_layout(tab, "archive")
        await go_to(tab, "Search")
        await expect(tab.get_by_placeholder("left pleural effusion")).to_have_value("left pleural effusion")


async def test_an_upload_is_an_example_and_a_selection_is_exported(
    open_page: Open, archive: Ingested, tmp_path: Path
) -> None:
    image = next(one for one in archive.drawn.images if one.syntax == "explicit")
    async with open_page() as tab:
        await tab.get_by_role("button", name="Example images").click()
        await tab.locator("input[type=file]").set_input_files(image.path)
        await expect(cards(tab).first).to_contain_text("cosine 1.000")
        await expect(cards(tab).first).to_contain_text(image.study_id)
        await expect(tab.get_by_role("button", name=f"More like this: {image.path.name}")).to_be_visible()
        await tab.page.keyboard.press("Escape")
        for count, place in enumerate((0, 2), 1):
            await cards(tab).nth(place).get_by_text("Select").click()
            await expect(tab.get_by_role("button", name=f"Export ({count})")).to_be_visible()
        await tab.get_by_role("button", name="Export (2)").click()
        async with tab.page.expect_download() as started:
            await tab.get_by_role("button", name="Ids, scores and paths (CSV)").click()
        await (await started.value).save_as(tmp_path / "images.csv")
        make = tab.get_by_role("button", name="Create the ZIP file")
        await expect(make).to_be_disabled()
        await tab.get_by_text("Yes, export 2 images").click()
        await make.click()
        async with tab.page.expect_download() as started:
            await tab.get_by_role("button", name="Images (ZIP)").click()
        await (await started.value).save_as(tmp_path / "images.zip")
    rows = list(csv.DictReader((tmp_path / "images.csv").read_text().splitlines()))
    assert [row["rank"] for row in rows] == ["1", "3"]
    assert (rows[0]["study_id"], float(rows[0]["similarity_score"])) == (image.study_id, pytest.approx(1, abs=1e-3))
    with zipfile.ZipFile(tmp_path / "images.zip") as packed:
        names = [f"{int(row['rank']):03}_{row['image_id']}" for row in rows]
        assert [name.rsplit(".", 1)[0] for name in packed.namelist()] == names
        for name in packed.namelist():
            with Image.open(io.BytesIO(packed.read(name))) as rendering:
                assert min(rendering.size) > 300
                assert len(rendering.convert("L").getcolors() or []) > 50


async def test_a_hanging_server_blocks_nothing_and_a_killed_one_is_restarted(
    open_page: Open, chatting: Chatting
) -> None:
    async with open_page() as tab:
        await ask(tab, "pneumothorax")
        chatting.signal_servers(signal.SIGSTOP)
        await tab.get_by_placeholder("left pleural effusion").fill("edema")
        await tab.page.keyboard.press("Enter")
        await expect(tab.get_by_text("Searching: “edema”")).to_be_visible()
        stop = tab.get_by_role("button", name="Stop")
        await expect(stop).to_have_count(1)
        await stop.click()
        await expect(tab.get_by_text("Searching: “edema”")).to_have_count(0)
        await expect(cards(tab).first).to_contain_text("pneumothorax")
        await cards(tab).first.get_by_text("Report", exact=True).click()
        chatting.signal_servers(signal.SIGKILL)
        await expect(cards(tab).first).to_contain_text("The server has ended")
        await tab.get_by_role("button", name="Restart the server").click()
        await expect(cards(tab).first).to_contain_text("FINDINGS")
        await expect(tab.get_by_text("The server has ended")).to_have_count(0)
        await ask(tab, "cardiomegaly")
        await expect(cards(tab).locator("img").first).to_be_visible()


async def test_two_tabs_are_independent(open_page: Open) -> None:
    async with open_page() as first, open_page() as second:
        await ask(first, "pneumothorax")
        await ask(second, "cardiomegaly")
        await cards(second).first.get_by_text("Select").click()
        await expect(second.get_by_role("button", name="Export (1)")).to_be_visible()
        await expect(first.get_by_role("button", name="Export (0)")).to_be_visible()
        await expect(first.get_by_role("button", name="“cardiomegaly”")).to_have_count(0)
        await expect(cards(first).first).to_contain_text("pneumothorax")


async def test_a_model_searches_continues_and_is_stopped(
    open_page: Open, model: ScriptedModel, archive: Ingested
) -> None:
    example = archive.drawn.images[0].image_id
    query = {"query": "left pleural effusion", "view": ["PA", "AP"], "limit": 3}
    model.play(
        {
            "text": "I look for left-sided effusions on frontal images.",
            "calls": [["search_medical_images", query]],
        },
        {"text": "Three studies. The first, **AP**, shows the largest one."},
        {"calls": [["get_image_metadata", {"image_id": example}], ["view_image", {"image_id": example}]]},
        {"text": "I think about it, and", "hangs": True},
        {"text": "Here I am again. ![](https://example.org/x.png)"},
    )
    async with open_page() as tab:
        await go_to(tab, "Chat")
        await expect(tab.get_by_text("stays on this machine")).to_be_visible()
        await expect(tab.get_by_text("does not see reports, images or dates")).to_be_visible()
        await say(tab, "Is there a left effusion anywhere? Frontal images, please.")
        await expect(tab.get_by_text("Three studies.")).to_be_visible()
        await expect(viewer(tab).locator(".thumbnail.ready")).to_have_count(3)
        await expect(viewer(tab).locator(".excerpt").first).to_contain_text("angle is blunted")  # the user sees it
        await check_layout(tab, "talk")
        await viewer(tab).locator("button.thumbnail").first.click()
        await viewer(tab).locator(".viewport canvas").first.wait_for()
        await say(tab, "And what of this one?")
        await expect(tab.get_by_text("I think about it, and")).to_be_visible()
        await tab.get_by_role("button", name="Stop").last.click()
        await expect(tab.get_by_text("Stopped.")).to_be_visible()
        await say(tab, "Go on")
        await expect(tab.get_by_text("Here I am again.")).to_be_visible()
        await expect(tab.get_by_text("stays on this machine")).to_be_in_viewport()  # however far one has scrolled
    asked = [one["body"] for one in model.requests]
    assert [len(body["messages"]) for body in asked] == [2, 4, 6, 9, 11]
    answers = [message["content"] for message in asked[3]["messages"] if message["role"] == "tool"]
    assert '"rank":1' in answers[0]
    assert "angle is blunted" not in str(asked)  # the model does not
    assert "MCP_CXR_SHARE" in answers[1]
    assert "does not share images" in answers[2]
    assert "In the viewer the user looks at result 1" in asked[2]["messages"][-1]["content"]
    assert {tool["function"]["name"] for tool in asked[0]["tools"]} == {
        *("search_medical_images", "get_image_metadata", "view_image", "get_archive_overview", "ingest_directory")
    }


async def say(tab: Frame, text: str) -> None:
    await tab.get_by_test_id("stChatInputTextArea").fill(text)
    await tab.page.keyboard.press("Enter")


async def check_layout(tab: Frame, step: str) -> None:
    """Check that nothing overflows at any width; take screenshots if they are wanted."""
    for width in WIDTHS:
        await tab.page.set_viewport_size({"width": width, "height": 760})
        await tab.evaluate("() => new Promise((done) => requestAnimationFrame(() => requestAnimationFrame(done)))")
        assert await tab.evaluate(OVERFLOWING) == [], (step, width)
        await tab.get_by_role("radio", name="Search").click(trial=True)  # nothing covers it
        if os.environ.get("REFRESH_SNAPSHOTS"):
            await take_screenshots(tab, f"{step}-{width}")
    await tab.page.set_viewport_size({"width": WIDTHS[-1], "height": 900})
    await set_theme(tab, "light")


async def set_theme(tab: Frame, theme: str) -> None:
    """Set the theme of the page, and wait for the viewer to follow."""
    await tab.page.emulate_media(color_scheme="dark" if theme == "dark" else "light")
    for page in await tab.locator("iframe[title=Viewer]").all():
        await expect(page.content_frame.locator("html")).to_have_attribute("data-theme", theme)


async def take_screenshots(tab: Frame, name: str) -> None:
    """Take a screenshot in each theme."""
    BUILD.mkdir(parents=True, exist_ok=True)
    for theme in THEMES:
        await set_theme(tab, theme)
        await tab.locator(".stMain").evaluate("(main) => main.scrollTo(0, 0)")
        wanted = SCREENSHOTS.get(f"{name}-{theme}")
        place = DOCS / wanted if wanted else BUILD / f"{name}-{theme}.png"
        await tab.page.screenshot(path=place, animations="disabled")
        with Image.open(place) as screenshot:
            screenshot.quantize(160).save(place, optimize=True)


def test_the_screenshots_in_docs_exist() -> None:
    assert [name for name in SCREENSHOTS.values() if not (DOCS / name).read_bytes().startswith(b"\x89PNG")] == []
