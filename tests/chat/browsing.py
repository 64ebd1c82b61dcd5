"""What tests do on the page in Chromium: search, go elsewhere, look at the layout, and take pictures of it."""

from __future__ import annotations

import asyncio
import os
from contextlib import asynccontextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from PIL import Image
from playwright.async_api import expect

from tests.support.npm import axe

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Awaitable, Callable

    from playwright.async_api import FrameLocator, Locator, Page, Route

ROOT = Path(__file__).parents[2]
DOCS, BUILD = ROOT / "docs", ROOT / "build" / "screenshots"
WIDTHS = (1280, 800, 390)
THEMES = ("light", "dark")
PICTURES = {
    "all-1280-light": "chat-search.png",
    "home-1280-light": "chat-home.png",
    "image-1280-dark": "chat-image.png",
    "talk-1280-dark": "chat-talk.png",
}
"""The pictures of docs, by step, width and theme."""
FIELD = "Search by words, or for the name of a file"
OVERFLOWING = """() => [...document.querySelectorAll("body *")]
    .filter((one) => one.checkVisibility({ visibilityProperty: true }))
    .filter((one) => !one.closest("pre, code, svg, .caption, .visually-hidden, [data-testid=stHeader]"))
    .filter((one) => one.getBoundingClientRect().right > document.documentElement.clientWidth + 1)
    .map((one) => one.outerHTML.slice(0, 100))"""
SQUEEZED = """() => [...document.querySelectorAll("h1")]
    .filter((one) => one.checkVisibility() && one.clientWidth < 200 && one.clientHeight > one.clientWidth)
    .map((one) => one.textContent)"""
expect.set_options(timeout=30_000)


async def search(tab: Page, query: str) -> None:
    """Search by words, and wait for the results."""
    await tab.get_by_label(FIELD).fill(query)
    await tab.keyboard.press("Enter")
    await expect(tab).to_have_title(f"“{query}” \u2013 Chest X-rays")
    await results(tab)


async def results(tab: Page) -> None:
    """Wait for the results of the search that was begun last, not those of one before it."""
    await tab.locator("#search:has([aria-busy=false]) .results-head h1").wait_for()


def tiles(tab: Page) -> Locator:
    return tab.locator(".tile")


def caption(tab: Page, number: int) -> Locator:
    """The caption of an image of the wall, from 0."""
    return tiles(tab).nth(number).locator(".caption")


@asynccontextmanager
async def held_back(tab: Page, part: str = "", *, path: str = "tool") -> AsyncGenerator[Callable[[], Awaitable[None]]]:
    """Hold back requests of the page; yield what lets them go on and waits until the page has an answer.

    Args:
        tab: The page.
        part: Of the requests' method and body: all others go on.
        path: Of the page's API.
    """
    released = asyncio.Event()

    async def hold(route: Route) -> None:
        if part in f"{route.request.method} {route.request.post_data or ''}":
            await released.wait()
        await route.continue_()

    async def release() -> None:
        async with tab.expect_response(f"**/api/{path}"):
            released.set()
        await settled(tab)

    await tab.route(f"**/api/{path}", hold)
    try:
        yield release
    finally:
        released.set()
        await tab.unroute_all(behavior="ignoreErrors")


async def settled(tab: Page) -> None:
    """Wait until the page has drawn what it knows."""
    await tab.evaluate("() => new Promise((done) => requestAnimationFrame(() => requestAnimationFrame(done)))")


def chat(tab: Page) -> FrameLocator:
    return tab.frame_locator("iframe[title=Chat]")


async def loaded(tab: Page) -> None:
    """Wait for all thumbnails in view."""
    await tab.wait_for_function(
        """() => [...document.querySelectorAll(".tile .frame")]
            .filter((one) => one.getBoundingClientRect().top < innerHeight)
            .every((one) => one.matches(".ready, .failed"))"""
    )


async def check_layout(tab: Page, step: str) -> None:
    """Check that nothing overflows at any width; take pictures if they are wanted."""
    for width in WIDTHS:
        await tab.set_viewport_size({"width": width, "height": 900})
        await tab.mouse.move(1, 1)
        await settled(tab)
        for frame in tab.frames:
            assert await frame.evaluate(OVERFLOWING) == [], (step, width)
            assert await frame.evaluate(SQUEEZED) == [], (step, width)
        if os.environ.get("REFRESH_SNAPSHOTS"):
            await _take_pictures(tab, f"{step}-{width}")
    await tab.set_viewport_size({"width": 1280, "height": 900})


async def _take_pictures(tab: Page, name: str) -> None:
    BUILD.mkdir(parents=True, exist_ok=True)
    for theme in THEMES:
        await tab.emulate_media(color_scheme="dark" if theme == "dark" else "light")
        for frame in tab.frames:
            await frame.evaluate("() => document.fonts.ready.then(() => new Promise(requestAnimationFrame))")
            if "/viewer/" in frame.url:  # it follows the theme of the chat around it
                await frame.wait_for_function("(theme) => document.documentElement.dataset.theme === theme", arg=theme)
        wanted = PICTURES.get(f"{name}-{theme}")
        place = DOCS / wanted if wanted else BUILD / f"{name}-{theme}.png"
        await tab.screenshot(path=place, animations="disabled")
        with Image.open(place) as screenshot:
            screenshot.quantize(160).save(place, optimize=True)
    await tab.emulate_media(color_scheme="light")


async def faults(tab: Page) -> list[str]:
    """What axe finds in the page and its frames, in both themes."""
    found: list[str] = []
    for theme in THEMES:
        await tab.emulate_media(color_scheme="dark" if theme == "dark" else "light")
        for frame in tab.frames:
            await frame.evaluate(axe())
            result = await frame.evaluate("() => axe.run(document, { resultTypes: ['violations'], iframes: false })")
            found += [f"{theme} {one['id']}: {one['nodes'][0]['html'][:160]}" for one in result["violations"]]
    await tab.emulate_media(color_scheme="light")
    return found
