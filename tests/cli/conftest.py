"""Runs commands as a user does."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import anyio
import pytest
from mcp import Client

from mcp_cxr.archive import open_archive
from mcp_cxr.cli import main
from mcp_cxr.server import build_server
from tests.server.archives import Ingested, environment, ingested, write_small_images

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    Command = Callable[..., "Done"]

SMALL = 8


@dataclass(frozen=True, slots=True)
class Done:
    """The exit code and output of a command."""

    code: int
    out: str
    err: str

    @property
    def json(self) -> Any:
        return json.loads(self.out)

    @property
    def error(self) -> str:
        """Return the one line that says what was wrong, after checking that nothing else was printed."""
        assert self.out == ""
        (line,) = self.err.splitlines()
        assert line.startswith("Error: ")
        return line


@pytest.fixture(scope="session")
def demo(tmp_path_factory: pytest.TempPathFactory) -> Ingested:
    """Return the demo's first studies; shared between test packages, so read-only."""
    return ingested(tmp_path_factory.getbasetemp() / "demo")


@pytest.fixture
def run(capfd: pytest.CaptureFixture[str]) -> Command:
    """Return a function that runs a command in this process."""

    def command(*argv: object) -> Done:
        capfd.readouterr()
        code = main([str(word) for word in argv])
        captured = capfd.readouterr()
        return Done(code, captured.out, captured.err)

    return command


@pytest.fixture
def on_demo(run: Command, demo: Ingested, monkeypatch: pytest.MonkeyPatch) -> Command:
    """Return a function that runs a command on the demo's archive."""
    set_environment(monkeypatch, demo.environment)
    return run


@pytest.fixture
def on_new(run: Command, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Command:
    """Return a function that runs a command on an archive that does not exist yet."""
    set_environment(monkeypatch, environment(tmp_path / "data"))
    return run


@pytest.fixture
def image_dir(tmp_path: Path) -> Path:
    """Return a folder of a few tiny images."""
    folder = tmp_path / "images"
    write_small_images(folder, SMALL)
    return folder


def set_environment(monkeypatch: pytest.MonkeyPatch, variables: dict[str, str]) -> None:
    for name, value in variables.items():
        monkeypatch.setenv(name, value)


def told_by_tool(made: Ingested, tool: str, **arguments: Any) -> dict[str, Any]:
    """Return the result of an MCP tool."""

    async def ask() -> dict[str, Any]:
        server = build_server(lambda: open_archive(made.settings), share=("reports", "images"))
        async with Client(server) as client:
            result = await client.call_tool(tool, arguments)
        assert result.structured_content, result.content
        return result.structured_content

    return anyio.run(ask)


def at_a_terminal(argv: list[str], typed: str, variables: dict[str, str]) -> subprocess.CompletedProcess[str]:
    """Run a command whose stdin is a terminal with typed input."""
    pty = pytest.importorskip("pty", reason="Windows has no such terminal", exc_type=ImportError)
    person, terminal = pty.openpty()
    try:
        os.write(person, f"{typed}\n".encode())
        return subprocess.run(
            [sys.executable, "-m", "mcp_cxr", *argv],
            stdin=terminal,
            capture_output=True,
            text=True,
            check=False,
            timeout=60,
            env={**os.environ, **variables},
        )
    finally:
        os.close(person)
        os.close(terminal)
