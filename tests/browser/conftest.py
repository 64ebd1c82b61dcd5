"""One browser and one server for all tests of the page."""

from __future__ import annotations

import os
import sys
from functools import partial
from typing import TYPE_CHECKING

import pytest
from mcp import Client, StdioServerParameters
from playwright.async_api import async_playwright

from tests.browser.hosting import CHROMIUM, FLAGS, shown
from tests.server.archives import Ingested, ingested

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable
    from contextlib import AbstractAsyncContextManager

    from playwright.async_api import Browser

    from tests.browser.hosting import OpenViewer

    Show = Callable[..., AbstractAsyncContextManager[OpenViewer]]


@pytest.fixture(scope="package")
def anyio_backend() -> str:
    return "asyncio"


@pytest.fixture(scope="package")
async def browser(anyio_backend: str, demo: Ingested) -> AsyncIterator[Browser]:
    """Debian's Chromium. The demo's archive is made first, because that runs its own event loop."""
    if not CHROMIUM.exists():
        do_without_chromium()
    async with async_playwright() as playwright:
        opened = await playwright.chromium.launch(executable_path=CHROMIUM, args=FLAGS)
        yield opened
        await opened.close()


def do_without_chromium() -> None:
    """Skip the test, or fail it in CI."""
    reason = "Chromium is missing: apt-get install chromium"
    if os.environ.get("CI"):
        pytest.fail(reason)
    pytest.skip(reason)


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Report prominently that the viewer was not tested."""
    if not CHROMIUM.exists():
        terminalreporter.section("THE VIEWER WAS NOT TESTED", sep="!", red=True)
        terminalreporter.write_line("Chromium is missing: apt-get install chromium")


@pytest.fixture(scope="package")
def demo(tmp_path_factory: pytest.TempPathFactory) -> Ingested:
    """The demo's first studies; shared with other test packages; must not be changed."""
    return ingested(tmp_path_factory.getbasetemp() / "demo")


@pytest.fixture(scope="package")
async def client(anyio_backend: str, demo: Ingested) -> AsyncIterator[Client]:
    """A host's connection to a server process."""
    server = StdioServerParameters(command=sys.executable, args=["-m", "mcp_cxr", "serve"], env=demo.environment)
    async with Client(server) as opened:
        yield opened


@pytest.fixture
def show(browser: Browser, client: Client) -> Show:
    """Show the page of the demo's server; see `hosting.shown`."""
    return partial(shown, browser, client)
