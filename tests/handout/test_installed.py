"""The wheel and the bundle in clean environments, called by other vendors' clients."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import urlsplit
from urllib.request import Request, urlopen

import pytest
from mcp import Client, StdioServerParameters

from tests.docs.pages import ROOT
from tests.handout.bearer import Bearer
from tests.handout.conftest import run
from tests.handout.typescript import visit
from tests.server.archives import environment
from tests.support.npm import Packages
from tests.support.served import Served

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.server.archives import Ingested

pytestmark = pytest.mark.handout

OUTSIDE = Packages(
    "npm-handout",
    {
        "@anthropic-ai/mcpb": "2.1.2",
        "@modelcontextprotocol/client": "2.4.0",
        "@modelcontextprotocol/conformance": "0.1.16",
        "@modelcontextprotocol/inspector": "2.12.0",
        "@modelcontextprotocol/sdk": "1.32.2",
    },
)
INSPECTOR = ".bin/mcp-inspector"
CONFORMANCE = "@modelcontextprotocol/conformance/dist/index.js"
MCPB = "@anthropic-ai/mcpb/dist/cli/cli.js"
SCENARIOS = [
    "server-initialize",
    "ping",
    "tools-list",
    "resources-list",
    "server-sse-multiple-streams",
    "dns-rebinding-protection",
]
"""Scenarios that need no tools, prompts or resources made for them, and nothing the server does not declare (logging,
completions); with no prompts to list, `prompts-list` would prove nothing."""


@pytest.fixture(scope="module")
def served(installed: str, demo: Ingested, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    """Return the installed server, over HTTP."""
    copy = demo.copied_to(tmp_path_factory.mktemp("served") / "data")
    with Served(copy.environment, copy.data_dir, command=(installed,)) as server:
        yield server


def test_the_demo_finds_by_pixels_and_the_plots_extra_draws_plots(installed: str, tmp_path: Path):
    out = run(installed, "demo", "--keep", str(tmp_path / "demo"), cwd=tmp_path, env={})
    assert "by pixels in studies without one" in out
    assert "Contact sheet of all results" in out
    assert (tmp_path / "demo" / "contact-sheet.png").is_file()
    (encoder,) = Path(installed).parents[1].rglob("mcp_cxr/demo/encoder")
    local = {"MCP_CXR_EMBEDDER": "local", "MCP_CXR_MODEL_DIR": str(encoder)}
    page, variables = tmp_path / "page.html", environment(tmp_path / "demo" / "archive-local") | local
    run(installed, "evaluate", "--only", "labels", "--html", str(page), cwd=tmp_path, env=variables)
    assert "<svg" in page.read_text()


def test_the_chat_extra_opens_its_page(installed: str, demo: Ingested, tmp_path: Path):
    command = [installed, "chat", "--headless", "--port", "0"]
    with subprocess.Popen(command, cwd=tmp_path, env=demo.environment, stderr=subprocess.PIPE, text=True) as process:
        assert process.stderr
        link = next(line for line in process.stderr if "http://127.0.0.1:" in line)
        address, code = re.findall(r"(http://\S+/)#code=(\S+?);", link)[0]
        body = json.dumps({"code": code}).encode()
        with urlopen(Request(f"{address}session", body), timeout=60) as answer:  # noqa: S310 - the link it printed
            secret = json.load(answer)["secret"]
        for path in (
            "",
            "web/page.js",
            "viewer/",
            "viewer/app.js",
            f"frame/{secret}/",
            f"frame/{secret}/_stcore/health",
        ):
            with urlopen(address + path, timeout=60) as page:  # noqa: S310
                assert page.status == 200
        process.terminate()


def test_the_inspector_accepts_every_tool(installed: str, demo: Ingested, tmp_path: Path):
    listed = inspected(installed, demo, tmp_path, "tools/list", "--strict")
    assert listed["result"]["tools"][0]["name"] == "search_medical_images"


def test_the_inspector_searches_and_reads_the_viewer_page(installed: str, demo: Ingested, tmp_path: Path):
    search = ("--tool-name", "search_medical_images")
    found = inspected(installed, demo, tmp_path, "tools/call", *search, "--tool-arg", "query=effusion")
    assert found["result"]["structuredContent"]["total_results"] > 0
    app = inspected(installed, demo, tmp_path, "tools/call", *search, "--app-info")
    assert (app["appInfo"]["hasApp"], app["appInfo"]["resourceUri"]) == (True, "ui://mcp-cxr/viewer.html")


def inspected(installed: str, demo: Ingested, folder: Path, method: str, *words: str):
    """Return the inspector's output for a server that it started itself."""
    variables = [word for name, value in demo.environment.items() for word in ("-e", f"{name}={value}")]
    arguments = ["--cli", installed, "serve", *variables, "--method", method, *words, "--format", "json"]
    done = OUTSIDE.run(INSPECTOR, *arguments, HOME=str(folder), MCP_CATALOG_PATH=str(folder / "catalog.json"))
    assert done.returncode == 0, done.stdout + done.stderr
    return json.loads(done.stdout)


@pytest.mark.parametrize("scenario", SCENARIOS)
def test_the_conformance_suite_passes(served: Served, scenario: str, tmp_path: Path):
    with Bearer(urlsplit(served.url).port or 0, served.token) as before:
        done = OUTSIDE.run(CONFORMANCE, "server", "--url", before.url, "--scenario", scenario, "-o", str(tmp_path))
    assert done.returncode == 0, done.stdout + done.stderr
    (passed, checks, failed, warned) = re.findall(r"\d+", re.findall(r"Passed: .*", done.stdout)[0])
    assert int(checks) > 0
    assert (passed, failed, warned) == (checks, "0", "0")


@pytest.mark.parametrize("over", ["stdio", "http"])
@pytest.mark.parametrize(("generation", "version"), [(1, None), (2, None), (2, "2026-07-28")])
def test_a_typescript_host_lists_searches_and_views(
    installed: str, demo: Ingested, served: Served, over: str, generation: int, version: str | None
):
    server = {"command": installed, "args": ["serve"], "env": demo.environment}
    if over == "http":
        server = {"url": served.url, "token": served.token}
    visit(OUTSIDE, generation=generation, version=version, server=server)


async def test_the_bundle_validates_packs_and_serves(demo: Ingested, tmp_path: Path):
    """The bundle is started as a host starts it: by uv, with the manifest's command and its placeholders filled in."""
    uv = shutil.which("uv") or fetched_uv(tmp_path)
    bundle, unpacked = tmp_path / "cxr.mcpb", tmp_path / "unpacked"
    for words in (["validate", ROOT / "manifest.json"], ["pack", ROOT, bundle], ["unpack", bundle, unpacked]):
        done = OUTSIDE.run(MCPB, *map(str, words))
        assert done.returncode == 0, done.stdout + done.stderr
    assert sorted(path.name for path in unpacked.iterdir()) == [
        "LICENSE",
        "README.md",
        "manifest.json",
        "mcp_cxr",
        "pyproject.toml",
    ]
    manifest = json.loads((unpacked / "manifest.json").read_text())
    chosen = {name: one.get("default", "") for name, one in manifest["user_config"].items()}
    chosen |= {"folder": str(demo.drawn.folder), "embedder": "offline", "share": "images"}
    config = json.loads(filled(json.dumps(manifest["server"]["mcp_config"]), chosen, unpacked))
    of_uv = {name: value for name, value in os.environ.items() if name.startswith(("UV_", "SSL_")) or name == "HOME"}
    variables = {**of_uv, **config["env"], "MCP_CXR_DATA_DIR": str(demo.data_dir)}
    host = StdioServerParameters(command=uv, args=config["args"], env=variables, cwd="/")
    async with Client(host) as client:
        found = await client.call_tool("search_medical_images", {"query": "effusion"})
    assert found.structured_content
    assert found.structured_content["total_results"] > 0


def filled(text: str, chosen: dict[str, str], folder: Path) -> str:
    for name, value in chosen.items():
        text = text.replace(f"${{user_config.{name}}}", value)
    return text.replace("${__dirname}", str(folder))


def fetched_uv(folder: Path) -> str:
    run(sys.executable, "-m", "pip", "install", "--quiet", "--target", str(folder / "uv"), "uv", cwd=folder)
    return str(folder / "uv" / "bin" / "uv")
