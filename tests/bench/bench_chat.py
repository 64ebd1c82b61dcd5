"""What a person waits for on the page of `mcp-cxr chat`: `python -m tests.bench chat`.

Headless Chromium opens the page of a process of its own, on the demo's archive. First page: from opening the link to
the newest studies on the first screen, and again in other tabs. A search: from Enter to its captions, less what the
tool itself took (`execution_time_ms`); thumbnails come after. Next image: from the arrow key to the drawn image, once
it was read ahead.
"""

# ruff: noqa: T201  # a bench prints

from __future__ import annotations

import os
import platform
import statistics
import sys
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING

import anyio
from playwright.async_api import async_playwright

from mcp_cxr.archive import open_archive
from mcp_cxr.demo import write_data_set
from tests.browser.hosting import CHROMIUM, FLAGS
from tests.server.archives import environment, settings
from tests.support.chatting import Chatting

if TYPE_CHECKING:
    from playwright.async_api import Browser, Page, Response

TABS = 5
STEPS = 6
READ_AHEAD_MS = 1500
"""A person looks at least this long at an image."""
PAGE_WITHIN_S, SEARCH_WITHIN_S, NEXT_WITHIN_S = 1.5, 0.3, 0.2
QUERIES = ("pleural effusion", "cardiomegaly", "pneumothorax", "support devices", "left lung", "no finding")
MARK = "() => document.querySelector('.results-head h1')?.setAttribute('data-before', '')"
SEARCHED = "() => document.querySelector('.results-head h1:not([data-before])')"
DRAWN = """(rank) => document.querySelector("#overlay h1").textContent.startsWith(rank)
    && document.querySelector(".viewport canvas[aria-busy=false]")"""


async def opened(browser: Browser, url: str) -> tuple[Page, float]:
    """Open a tab that has nothing in its cache; return it, and the seconds to the newest studies."""
    tab = await (await browser.new_context()).new_page()
    started = time.perf_counter()
    await tab.goto(url)
    await tab.locator(".tile .caption").first.wait_for()
    return tab, time.perf_counter() - started


async def opened_and_closed(browser: Browser, url: str) -> float:
    page, took = await opened(browser, url)
    await page.context.close()
    return took


async def asked(page: Page, query: str) -> tuple[float, float]:
    """Ask; return the seconds to the captions, and those that the tool took."""
    await page.locator("input[name=query]").fill(query)
    await page.evaluate(MARK)
    started = time.perf_counter()
    async with page.expect_response(_is_of_a_page_of_results) as answered:
        await page.keyboard.press("Enter")
    await page.wait_for_function(SEARCHED, polling="raf")
    took = time.perf_counter() - started
    result = (await (await answered.value).json())["structuredContent"]
    return took, result["execution_time_ms"] / 1000


def _is_of_a_page_of_results(response: Response) -> bool:
    """Whether it answers the search, not one of those that the first screen tries."""
    return '"limit":24' in (response.request.post_data or "")


async def stepped(page: Page) -> list[float]:
    """Open the first image, and go on to others; return the seconds to each, once it was read ahead."""
    await asked(page, "effusion")
    await page.locator(".tile .open").first.click()
    await page.wait_for_function(DRAWN, arg="1")
    found: list[float] = []
    for rank in range(2, STEPS + 2):
        await page.wait_for_load_state("networkidle")
        await page.wait_for_timeout(READ_AHEAD_MS)
        started = time.perf_counter()
        await page.keyboard.press("ArrowRight")
        await page.wait_for_function(DRAWN, arg=str(rank), polling="raf")
        found.append(time.perf_counter() - started)
    return found


async def run() -> bool:
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        data = folder / "data"
        images = write_data_set(folder / "films").folder
        async with open_archive(settings(environment(data))) as archive:
            await archive.ingest(images)
        started = time.perf_counter()
        with Chatting(environment(data), folder) as chatting:
            ready = time.perf_counter() - started
            async with async_playwright() as playwright:
                browser = await playwright.chromium.launch(executable_path=CHROMIUM, args=FLAGS)
                first, took = await opened(browser, chatting.url)
                others = [await opened_and_closed(browser, chatting.fresh_url) for _ in range(TABS)]
                searches = [await asked(first, query) for query in QUERIES]
                steps = await stepped(first)
                await browser.close()
    return report(ready, [took, *others], searches, steps)


def report(ready: float, pages: list[float], searches: list[tuple[float, float]], steps: list[float]) -> bool:
    """Print the figures; return whether the times are kept."""
    beyond = [took - tool for took, tool in searches]
    print("The page of `mcp-cxr chat`: the demo's 60 studies, offline embedder")
    print(
        f"  Python {platform.python_version()}, {platform.machine()}, {os.cpu_count()} cores, "
        f"load {os.getloadavg()[0]:.1f}"
    )
    print(f"  command to link: {ready:.2f} s")
    more = statistics.median(pages[1:])
    print(f"  link to first page: {pages[0]:.2f} s; {len(pages) - 1} more tabs: median {more:.2f} s")
    print(
        f"  Enter to captions, beyond the search itself: first {beyond[0]:.2f} s, {len(beyond) - 1} more: median "
        f"{statistics.median(beyond[1:]):.2f} s (longest {max(beyond[1:]):.2f} s)"
    )
    print(f"  next image: median {statistics.median(steps):.2f} s (longest {max(steps):.2f} s)")
    kept = (
        statistics.median(pages) <= PAGE_WITHIN_S
        and statistics.median(beyond) <= SEARCH_WITHIN_S
        and statistics.median(steps) <= NEXT_WITHIN_S
    )
    print(
        f"  medians: page {PAGE_WITHIN_S} s, search {SEARCH_WITHIN_S} s, next image {NEXT_WITHIN_S} s: "
        f"{'kept' if kept else 'NOT KEPT'}"
    )
    return kept


def main() -> int:
    return 0 if anyio.run(run) else 1


if __name__ == "__main__":
    sys.exit(main())
