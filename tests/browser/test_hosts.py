"""The official client and host side of MCP Apps, and axe-core, run against server and page."""

from __future__ import annotations

import asyncio
import socket
import sys
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any

import pytest
import uvicorn

from tests.browser.bridge_host import BridgeHost
from tests.browser.hosting import HERE
from tests.handout.typescript import visit
from tests.support.npm import PAGE, axe, bundled

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator

    from playwright.async_api import Browser
    from starlette.applications import Starlette

    from tests.browser.conftest import Show
    from tests.browser.hosting import Gives, OpenViewer
    from tests.server.archives import Ingested

pytestmark = pytest.mark.browser

QUESTION = {"query": "pleural effusion", "limit": 5}


@pytest.mark.parametrize("gives", ["whole", "nothing"])
async def test_the_official_bridge_shows_the_page(show: Show, gives: Gives):
    script = bundled(HERE / "bridge.js")
    question = {**QUESTION, "limit": 3}
    async with show(question=question, gives=gives, host="bridge.html", script=script) as shown:
        await shown.ready()
        assert await shown.find(".card").count() == 3
        await shown.open_image()
        await shown.find("mark").first.wait_for()
        await shown.drawn()
        assert len(set(await shown.pixels(100, 100, 50, 50))) > 3
        await shown.page.keyboard.press("Escape")
        await shown.button("Next page").click()
        await shown.find('.card[data-rank="4"]').wait_for()
        assert await shown.page.evaluate("hosting.teardown()") == {}


@pytest.mark.parametrize("named", [{}, {"maxHeight": 640}, {"height": 560}])
async def test_the_height_follows_the_content_unless_the_host_names_one(show: Show, named: dict[str, int]):
    script, context = bundled(HERE / "bridge.js"), {"containerDimensions": named or None}
    async with show(question=QUESTION, host="bridge.html", script=script, context=context) as shown:
        await shown.ready()
        await shown.find(".thumbnail.ready").first.wait_for()
        content = await shown.frame.evaluate("() => document.querySelector('.results').scrollHeight")
        results = await height_of(shown)
        await shown.open_image()
        await shown.drawn()
        image = await height_of(shown)
    if named.get("height"):
        assert (results, image) == (500, 500)  # the frame's own height, which the page leaves alone
    elif named:
        assert results == 640 < content
        assert 500 <= image <= 640
    else:
        assert results > content > 640
        assert 500 <= image <= 800


async def height_of(shown: OpenViewer) -> float:
    """Return the height of the page's frame once it follows the page."""
    await shown.frame.evaluate("() => new Promise((done) => requestAnimationFrame(() => setTimeout(done, 0)))")
    box = await shown.page.locator("iframe").bounding_box()
    assert box
    return box["height"]


@asynccontextmanager
async def listening(app: Starlette) -> AsyncGenerator[str]:
    """Serve an application in this process; return its address."""
    with socket.create_server(("127.0.0.1", 0)) as opened:
        server = uvicorn.Server(uvicorn.Config(app, log_level="warning"))
        serving = asyncio.create_task(server.serve(sockets=[opened]))
        try:
            yield f"http://127.0.0.1:{opened.getsockname()[1]}"
        finally:
            server.should_exit = True
            await serving


async def test_the_host_to_look_at_the_viewer_in_shows_it(browser: Browser, demo: Ingested):
    async with listening(BridgeHost(QUESTION, demo.environment).app()) as origin:
        page = await browser.new_page()
        await page.goto(f"{origin}/?theme=dark")
        viewer = page.frame_locator("iframe")
        await viewer.locator(".card").nth(4).wait_for()
        await viewer.locator("button.thumbnail").first.click()
        await viewer.locator(".viewport canvas").wait_for()
        await page.close()


def test_the_official_client_gets_images(demo: Ingested):
    """Here because one worker installs the npm packages; `make handout` tests more clients, over HTTP too."""
    server = {"command": sys.executable, "args": ["-m", "mcp_cxr", "serve"], "env": demo.environment}
    visit(PAGE, generation=2, version="2026-07-28", server=server)


async def faults(shown: OpenViewer) -> list[str]:
    """Serious findings of axe: rule and elements."""
    result: dict[str, Any] = await shown.frame.evaluate("() => axe.run(document, { resultTypes: ['violations'] })")
    assert result["passes"] or result["incomplete"] or result["inapplicable"]
    return [
        f"{found['id']}: {node['html'][:120]}"
        for found in result["violations"]
        if found["impact"] in ("serious", "critical")
        for node in found["nodes"]
    ]


@pytest.mark.parametrize("theme", ["light", "dark"])
async def test_axe_finds_nothing_serious(show: Show, theme: str):
    async with show(question={**QUESTION, "view": ["PA"]}, theme=theme) as shown:
        await shown.ready()
        await shown.frame.evaluate(axe())
        assert await faults(shown) == []
        await shown.button("Filters, 1 active").click()
        assert await faults(shown) == []
        for place in (0, 1):
            await shown.find("button[aria-label^='Compare image']").nth(place).click()
        assert await faults(shown) == []
        await shown.open_image()
        await shown.find("mark").first.wait_for()
        assert await faults(shown) == []
        await shown.button("Back to the results").click()
        await shown.button("Compare 2").click()
        await shown.find(".viewport canvas").nth(1).wait_for()
        assert await faults(shown) == []
