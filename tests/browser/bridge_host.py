"""A small chat host to look at the viewer in: the published bridge of MCP Apps, with a server of this checkout.

    python -m tests.browser.bridge_host "left pleural effusion" [--port 8799]

It serves the archive of the environment, or the demo's first studies without one, on loopback. The page is read from
the checkout at each reload. `?theme=dark`, `?height=600` and `?maxHeight=600` are what the host tells the page.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
from contextlib import asynccontextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import uvicorn
from mcp import Client, StdioServerParameters
from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.middleware.trustedhost import TrustedHostMiddleware
from starlette.responses import HTMLResponse, JSONResponse, Response
from starlette.routing import Route

from mcp_cxr.server._viewer import viewer_page
from tests.browser.hosting import HERE, POLICY
from tests.server.archives import ingested
from tests.support.npm import bundled

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator

    from starlette.requests import Request

_DEMO = HERE.parents[1] / "build" / "bridge-host"
_CALL_TOOL = """
  window.callTool = async (params) =>
    (await fetch("/tool", { method: "POST", body: JSON.stringify(params) })).json();
"""
_NUMBERS = ("height", "maxHeight")


class BridgeHost:
    """What the host's pages need.

    Args:
        question: Arguments of the search whose result the viewer shows.
        environment: Of the server.
    """

    def __init__(self, question: dict[str, Any], environment: dict[str, str]) -> None:
        self._question = question
        self._server = StdioServerParameters(
            command=sys.executable, args=["-m", "mcp_cxr", "serve"], env=environment, cwd=Path.cwd()
        )
        self._script = bundled(HERE / "bridge.js")
        self._client: Client | None = None

    def app(self) -> Starlette:
        """Return the application; it answers to names of loopback alone."""
        policy = {"Content-Security-Policy": POLICY}
        return Starlette(
            routes=[
                Route("/", self._page),
                Route("/viewer.html", lambda _: HTMLResponse(viewer_page(), headers=policy)),
                Route("/bridge.js", lambda _: Response(self._script, media_type="text/javascript")),
                Route("/tool", self._call_tool, methods=["POST"]),
            ],
            middleware=[Middleware(TrustedHostMiddleware, allowed_hosts=["127.0.0.1", "localhost"])],
            lifespan=self._connected,
        )

    @asynccontextmanager
    async def _connected(self, _app: Starlette) -> AsyncGenerator[None]:
        async with Client(self._server) as self._client:
            yield

    async def _call(self, name: str, arguments: dict[str, Any]) -> dict[str, Any]:
        assert self._client
        result = await self._client.call_tool(name, arguments)
        return result.model_dump(mode="json", by_alias=True, exclude_none=True)

    async def _call_tool(self, request: Request) -> Response:
        params = await request.json()
        return JSONResponse(await self._call(params["name"], params["arguments"]))

    async def _page(self, request: Request) -> Response:
        """Return the host's page with the result of the search, as a host hands it over."""
        named = {name: int(value) for name in _NUMBERS if (value := request.query_params.get(name))}
        context = {
            "theme": request.query_params.get("theme", "light"),
            "displayMode": "inline",
            "availableDisplayModes": ["inline", "fullscreen"],
            **({"containerDimensions": named} if named else {}),
        }
        result = await self._call("search_medical_images", self._question)
        hosting = json.dumps({"input": self._question, "result": result, "context": context}).replace("<", "\\u003c")
        given = f"<script>\n  window.hosting = {hosting};{_CALL_TOOL}</script>\n"
        return HTMLResponse((HERE / "bridge.html").read_text().replace("<iframe", f"{given}<iframe", 1))


def main() -> None:
    """Serve until interrupted."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("query", nargs="?", default="pleural effusion")
    parser.add_argument("--port", type=int, default=8799)
    arguments = parser.parse_args()
    environment = dict(os.environ) if "MCP_CXR_DATA_DIR" in os.environ else ingested(_DEMO).environment
    app = BridgeHost({"query": arguments.query, "limit": 6}, environment).app()
    uvicorn.run(app, host="127.0.0.1", port=arguments.port, log_level="warning")


if __name__ == "__main__":
    main()
