"""One archive, one scripted language model, one page and one browser for all tests of the chat."""

from __future__ import annotations

from contextlib import asynccontextmanager
from typing import TYPE_CHECKING

import pytest
from playwright.async_api import async_playwright

from mcp_cxr.chat.backend import opened_backend
from mcp_cxr.chat.pages._streamlit_script import __file__ as page
from mcp_cxr.settings import load_settings
from tests.browser.conftest import do_without_chromium
from tests.browser.hosting import CHROMIUM, FLAGS
from tests.server.archives import Ingested, environment, ingested, write_small_images
from tests.standins.model import ScriptedModel
from tests.support.chatting import Chatting

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, AsyncIterator, Callable, Iterator
    from contextlib import AbstractAsyncContextManager
    from pathlib import Path

    from playwright.async_api import Browser, BrowserContext, Page
    from streamlit.testing.v1 import AppTest

    from mcp_cxr.chat.backend import Backend

    Open = Callable[..., AbstractAsyncContextManager[Page]]

MODEL = "scripted-1"
REFUSED = "Failed to load resource: the server responded with a status of 4"
"""What the console says of an answer that refuses; the page says why."""


@pytest.fixture(scope="package")
def anyio_backend() -> str:
    return "asyncio"


@pytest.fixture(scope="package")
def archive(tmp_path_factory: pytest.TempPathFactory) -> Ingested:
    """The demo's first studies, a copy of its own: some tests add to it."""
    copy = tmp_path_factory.mktemp("chat") / "archive"
    return ingested(tmp_path_factory.getbasetemp() / "demo").copied_to(copy)


@pytest.fixture(scope="package")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Thirty small images that the page may ingest."""
    made = tmp_path_factory.mktemp("images")
    write_small_images(made, 30)
    return made


@pytest.fixture(scope="package")
def model() -> Iterator[ScriptedModel]:
    with ScriptedModel() as scripted:
        yield scripted


@pytest.fixture(scope="package")
def variables(archive: Ingested, model: ScriptedModel, folder: Path) -> dict[str, str]:
    """The environment of a user: nothing is shared with the model, which runs here and may ingest one folder."""
    chat = {"MCP_CXR_CHAT_MODEL": MODEL, "MCP_CXR_CHAT_URL": f"{model.origin}/v1"}
    return {**environment(archive.data_dir, roots=folder), **chat}


@pytest.fixture(scope="module")
def backend(variables: dict[str, str], tmp_path_factory: pytest.TempPathFactory) -> Iterator[Backend]:
    """The servers that all tabs without a browser share."""
    with pytest.MonkeyPatch.context() as environ:
        for name, value in variables.items():
            environ.setenv(name, value)
        with opened_backend(load_settings(), [], tmp_path_factory.mktemp("uploads")) as opened:
            yield opened


@pytest.fixture
def tab(backend: Backend) -> Callable[[], AppTest]:
    """Open a tab without a browser."""
    from streamlit.testing.v1 import AppTest  # slow to load, and pytest loads this file wherever tests are collected

    return lambda: AppTest.from_file(page, default_timeout=60).run()


@pytest.fixture(scope="package")
def chatting(variables: dict[str, str], tmp_path_factory: pytest.TempPathFactory) -> Iterator[Chatting]:
    with Chatting(variables, tmp_path_factory.mktemp("home")) as started:
        yield started


@pytest.fixture(scope="package")
async def browser(anyio_backend: str, variables: dict[str, str]) -> AsyncIterator[Browser]:
    """Debian's Chromium. The archive is made first, since that runs an event loop of its own."""
    if not CHROMIUM.exists():
        do_without_chromium()
    async with async_playwright() as playwright:
        opened = await playwright.chromium.launch(executable_path=CHROMIUM, args=FLAGS)
        yield opened
        await opened.close()


@pytest.fixture(scope="package")
async def profile(browser: Browser, chatting: Chatting) -> AsyncIterator[BrowserContext]:
    """One browser context with a session for all tabs, so that they share its cache."""
    opened = await browser.new_context(accept_downloads=True)
    first = await opened.new_page()
    await first.goto(chatting.fresh_url)
    await first.wait_for_selector(".wall .tile")
    await first.close()
    yield opened
    await opened.close()


@pytest.fixture
def open_page(profile: BrowserContext, chatting: Chatting) -> Open:
    """Open a tab in the browser, in which no error and no request to another host may occur; yield it.

    With `has_own_clock` the test may change the time: a clock is that of all tabs of a browser context, so the tab gets
    one of its own.
    """

    @asynccontextmanager
    async def opened(address: str = "", *, has_own_clock: bool = False) -> AsyncGenerator[Page]:
        assert profile.browser
        own = await profile.browser.new_context(storage_state=await profile.storage_state()) if has_own_clock else None
        if own:
            await own.clock.install()
        tab = await (own or profile).new_page()
        await tab.set_viewport_size({"width": 1280, "height": 900})
        wrong: list[str] = []
        tab.on("console", lambda message: wrong.append(message.text) if message.type == "error" else None)
        tab.on("pageerror", lambda error: wrong.append(str(error)))
        tab.on("request", lambda request: wrong.append(request.url) if is_elsewhere(request.url) else None)
        try:
            await tab.goto(f"{chatting.address}{address}")
            await tab.locator("#page").wait_for()
            yield tab
            assert [one for one in wrong if not one.startswith(REFUSED)] == []
        finally:
            await tab.close()
            if own:
                await own.close()

    return opened


def is_elsewhere(url: str) -> bool:
    return not url.startswith(("http://127.0.0.1:", "data:", "blob:"))
