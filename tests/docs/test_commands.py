"""Every command in the README and the docs is run here, unless the page says what it needs."""

from __future__ import annotations

import json
import os
import re
import shlex
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import platformdirs
import pytest

from mcp_cxr.cli import main
from mcp_cxr.settings import load_settings, variables
from tests.cli.conftest import at_a_terminal
from tests.docs.pages import ROOT, Block, blocks, pages
from tests.server.archives import Ingested, ingested

if TYPE_CHECKING:
    from collections.abc import Iterator

README = ROOT / "README.md"
LANGUAGES = {"", "csv", "ini", "json", "python", "sh", "sql"}  # none: output and diagrams
WHOLE_LINE = re.compile(r"(?:\.venv/bin/)?mcp-cxr ([^|<>&;$`]*)")
ASKS_FOR_YES = ("forget", "table drop")
RUN = [page for page in pages() if any(not block.needs for block in blocks(page, "sh"))]


@pytest.fixture(scope="session")
def demo(tmp_path_factory: pytest.TempPathFactory) -> Ingested:
    """Return the demo's first studies; shared between test packages, so read-only."""
    return ingested(tmp_path_factory.getbasetemp() / "demo")


class Reader:
    """A user who types the commands of a page in a home folder of their own.

    Their images are the demo's. Except for the README, they have been ingested already.
    """

    def __init__(self, page: Path, demo: Ingested, home: Path, patch: pytest.MonkeyPatch) -> None:
        patch.setenv("HOME", str(home))
        for name in ("XDG_DATA_HOME", "MCP_CXR_DATA_DIR"):
            patch.delenv(name, raising=False)
        patch.setenv("MCP_CXR_EMBEDDER", "offline")
        patch.setenv("PATH", f"{_with_command(home / 'bin')}{os.pathsep}{os.environ['PATH']}")
        patch.chdir(home)
        if page != README:
            demo.copied_to(Path(platformdirs.user_data_dir("mcp-cxr", appauthor=False)))
        subjects = {image.subject_id: image for image in demo.drawn.images}
        first, second, third, *_ = subjects.values()  # `forget` removes one after the other
        self._places = {
            "/path/to/images": str(demo.drawn.folder),
            "IMAGE_ID": first.image_id,
            "STUDY": second.study_id,
            "PATIENT": third.subject_id,
        }
        self._patch = patch

    def type(self, command: str) -> None:
        for place, value in self._places.items():
            command = re.sub(rf"{place}\b", value, command)
        if command.startswith("export "):
            for word in shlex.split(command)[1:]:
                name, _, value = word.partition("=")
                self._patch.setenv(name, os.path.expandvars(value))
            load_settings()  # refuses an unknown variable
        elif whole := WHOLE_LINE.fullmatch(command):
            self._run(shlex.split(whole[1]))
        else:
            subprocess.run(["sh", "-euc", command], check=True, stdout=subprocess.DEVNULL)  # noqa: S607 - any shell

    def _run(self, words: list[str]) -> None:
        if " ".join(words).startswith(ASKS_FOR_YES):
            done = at_a_terminal(words, "yes", {})
            assert done.returncode == 0, done.stderr
        else:
            assert main(words) == 0


def _with_command(folder: Path) -> Path:
    """Return a folder with this checkout's `mcp-cxr`, for lines that need a shell."""
    folder.mkdir(parents=True)
    command = folder / "mcp-cxr"
    command.write_text(f'#!/bin/sh\nexec {sys.executable} -m mcp_cxr "$@"\n')
    command.chmod(0o700)
    return folder


@pytest.mark.parametrize("page", RUN, ids=lambda page: page.name)
def test_the_commands_of_a_page_run_in_order(
    page: Path, demo: Ingested, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setenv("PYTHONPATH", str(ROOT))
    reader = Reader(page, demo, tmp_path, monkeypatch)
    for block in blocks(page, "sh"):
        for command in [] if block.needs else block.commands:
            reader.type(command)


def every_block() -> Iterator[Block]:
    for page in pages():
        yield from blocks(page)


def test_every_command_is_in_a_block_that_is_run():
    assert {block.language for block in every_block()} <= LANGUAGES
    for page in pages():
        assert len(re.findall(r"^ *```", page.read_text(), re.MULTILINE)) == 2 * len(blocks(page)), page.name
        outside = re.sub(r"^```.*?^```$", "", page.read_text(), flags=re.MULTILINE | re.DOTALL)
        assert not re.findall(r"^ {4,}(?:mcp-cxr|make|docker|pip|export|python) .*$", outside, re.MULTILINE), page.name
    for block in every_block():
        assert block.language or not re.match(r"(\.venv/bin/)?mcp-cxr ", block.text), block.text
        assert not block.needs or block.language == "sh", block.text


def test_host_configurations_are_valid():
    """Their JSON is valid, starts the server, and names existing variables."""
    shown = [json.loads(block.text) for block in every_block() if block.language == "json"]
    assert len(shown) >= 3
    for config in shown:
        (entry,) = (config.get("mcpServers") or config["servers"]).values()
        if "url" not in entry:
            assert Path(entry["command"]).name == "mcp-cxr"
            assert entry["args"] == ["serve"]
            assert set(entry["env"]) <= set(variables())
