"""A chat host in headless Chromium: shows the viewer page under real hosts' content policy and forwards its calls."""

from __future__ import annotations

import asyncio
import json
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from mcp_cxr.records import VIEWER_URI

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator

    from mcp import Client
    from mcp_types import CallToolResult
    from playwright.async_api import Browser, ConsoleMessage, Frame, Locator, Page, Route

CHROMIUM = Path("/usr/bin/chromium")
FLAGS = (
    "--headless --no-sandbox --disable-gpu --disable-quic --no-first-run --disable-background-networking "
    "--disable-component-update --disable-sync"
).split()
POLICY = (
    "default-src 'none'; script-src 'self' 'unsafe-inline'; style-src 'self' 'unsafe-inline'; img-src 'self' data:; "
    "media-src 'self' data:; connect-src 'none'"
)
"""The content policy that hosts set by default."""
SITE = "http://host.test"
HERE = Path(__file__).parent

Gives = Literal["whole", "text", "nothing"]
"""What the host forwards: whole results; results without `structuredContent`; no first result, later ones as text."""


@dataclass(slots=True)
class OpenViewer:
    """The page as shown in the host."""

    page: Page
    frame: Frame
    errors: list[str]
    calls: list[dict[str, Any]] = field(default_factory=list[dict[str, Any]])
    """The page's calls of tools."""
    answers: list[int] = field(default_factory=list[int])
    """Bytes of each answer."""
    held: dict[str, asyncio.Event] = field(default_factory=dict[str, asyncio.Event])
    """Calls of these tools are forwarded when their event is set."""

    def hold(self, tool: str) -> asyncio.Event:
        """Hold back the calls of a tool until the event is set."""
        self.held[tool] = asyncio.Event()
        return self.held[tool]

    def find(self, selector: str) -> Locator:
        return self.frame.locator(selector)

    def button(self, name: str) -> Locator:
        return self.frame.get_by_role("button", name=name, exact=True)

    async def ready(self) -> None:
        """Wait for results."""
        await self.find("h1").first.wait_for()
        await self.find('.results[aria-busy="false"]').wait_for()

    async def asked(self, tool: str = "search_medical_images") -> list[dict[str, Any]]:
        """The arguments of every call of a tool so far."""
        return [call["arguments"] for call in self.calls if call["name"] == tool]

    async def titles(self) -> list[str]:
        return [" ".join(text.split()) for text in await self.find(".card .title").all_inner_texts()]

    async def heard(self, method: str) -> list[dict[str, Any]]:
        """The parameters of the messages of a method that the page sent to the host."""
        heard: list[dict[str, Any]] = await self.page.evaluate("hosting.heard")
        return [message.get("params", {}) for message in heard if message.get("method") == method]

    async def open_image(self, place: int = 0) -> None:
        await self.find("button.thumbnail").nth(place).click()
        await self.find(".viewport canvas").first.wait_for()

    async def drawn(self) -> None:
        """Wait until all that was requested is on the screen."""
        await self.frame.wait_for_function(
            "() => !document.querySelector('.viewport.loading, .viewport canvas[aria-busy=true]')"
        )
        await self.frame.evaluate(
            "() => new Promise((done) => requestAnimationFrame(() => requestAnimationFrame(done)))"
        )

    async def pixels(self, left: int, top: int, width: int, height: int, index: int = 0) -> list[int]:
        """Grays of a part of an image's canvas."""
        await self.drawn()
        box = [left, top, width, height, index]
        return await self.frame.evaluate(
            """([left, top, width, height, index]) => {
                const canvas = document.querySelectorAll(".viewport canvas")[index];
                const copy = new OffscreenCanvas(width, height).getContext("2d", { willReadFrequently: true });
                copy.drawImage(canvas, -left, -top);
                const { data } = copy.getImageData(0, 0, width, height);
                return Array.from({ length: width * height }, (_, at) => data[4 * at]);
            }""",
            box,
        )

    async def size(self) -> tuple[int, int]:
        """Width and height of the first canvas."""
        width, height = await self.frame.evaluate(
            "() => { const { width, height } = document.querySelector('.viewport canvas'); return [width, height]; }"
        )
        return width, height


@asynccontextmanager
async def shown(
    browser: Browser,
    client: Client,
    *,
    question: dict[str, Any] | None,
    gives: Gives = "whole",
    theme: str = "light",
    size: tuple[int, int] = (800, 900),
    host: str = "host.html",
    script: str = "",
    context: dict[str, Any] | None = None,
) -> AsyncGenerator[OpenViewer]:
    """Show the page for a search, as a host would after the model's call; the page may log no error."""
    (resource,) = (await client.read_resource(VIEWER_URI)).contents
    html = getattr(resource, "text", "")
    result = _forwarded(await client.call_tool("search_medical_images", question), gives) if question else None
    if gives == "nothing" and result:
        result = {"content": []}
    host_context = {
        "theme": theme,
        "displayMode": "inline",
        "availableDisplayModes": ["inline", "fullscreen"],
        "containerDimensions": {"maxHeight": 500},
        **(context or {}),
    }
    hosting = {"input": question, "result": result, "context": host_context}
    page = await browser.new_page(viewport={"width": size[0], "height": size[1]}, color_scheme="light")
    errors: list[str] = []
    calls: list[dict[str, Any]] = []
    answers: list[int] = []
    held: dict[str, asyncio.Event] = {}

    async def call_tool(params: dict[str, Any]) -> dict[str, Any]:
        calls.append(params)
        if params["name"] in held:
            await held[params["name"]].wait()
        answer = _forwarded(await client.call_tool(params["name"], params["arguments"]), gives)
        answers.append(len(json.dumps(answer)))
        return answer

    async def serve(route: Route) -> None:
        files = {
            "/": ("text/html", (HERE / host).read_text(), {}),
            "/viewer.html": ("text/html; charset=utf-8", html, {"Content-Security-Policy": POLICY}),
            "/bridge.js": ("text/javascript", script, {}),
        }
        kind, body, headers = files.get(route.request.url.removeprefix(SITE), ("text/plain", "", {}))
        await route.fulfill(content_type=kind, body=body, headers=headers)

    def hear(message: ConsoleMessage) -> None:
        if message.type in ("error", "warning"):
            errors.append(message.text)

    page.on("console", hear)
    page.on("pageerror", lambda error: errors.append(str(error)))
    await page.expose_function("callTool", call_tool)
    await page.add_init_script(f"window.hosting ??= {json.dumps(hosting)};")
    await page.route("**/*", serve)
    try:
        await page.goto(f"{SITE}/")
        frame = await _frame_of(page)
        yield OpenViewer(page, frame, errors, calls, answers, held)
        assert errors == []
    finally:
        await page.close()


async def _frame_of(page: Page) -> Frame:
    handle = await page.wait_for_selector("iframe")
    frame = await handle.content_frame() if handle else None
    assert frame
    return frame


def _forwarded(result: CallToolResult, gives: Gives) -> dict[str, Any]:
    data = result.model_dump(mode="json", by_alias=True, exclude_none=True)
    if gives != "whole":
        data.pop("structuredContent", None)
    return data
