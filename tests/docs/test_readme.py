"""What the README and the docs tell a reader to type works as it stands there."""

from __future__ import annotations

import re
import shlex
import shutil
import subprocess
from typing import TYPE_CHECKING

import pytest

from mcp_cxr.cli import main
from mcp_cxr.demo import write_archive
from tests.docs.pages import ROOT, commands, links, pages

if TYPE_CHECKING:
    from pathlib import Path

COMMAND = ".venv/bin/mcp-cxr "
RUN_ELSEWHERE = {
    "make demo": "by a person, and by tests/cli",
    "make test": "this is it",
    "export MCP_CXR_EMBEDDER=offline": "set by the test below",
    f"{COMMAND}forget --subject PATIENT": "at a terminal, by tests/cli/test_forget.py",
}


@pytest.fixture(scope="module")
def films(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_archive(tmp_path_factory.mktemp("films"), studies=6).folder


def test_the_readme_s_commands_run_in_their_order(
    films: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("MCP_CXR_EMBEDDER", "offline")
    monkeypatch.chdir(tmp_path)
    image_id, ran = "", 0
    for line in commands(ROOT / "README.md"):
        if line in RUN_ELSEWHERE:
            continue
        assert line.startswith(COMMAND), f"nobody runs this: {line}"
        text = line.removeprefix(COMMAND).replace("/path/to/films", str(films)).replace("IMAGE_ID", image_id)
        assert main(shlex.split(text)) == 0, line
        ran += 1
        if found := re.search(r"[0-9a-f]{8}(-[0-9a-f]{8}){4}", capsys.readouterr().out):
            image_id = found[0]
    assert ran >= 5
    assert (tmp_path / "film.png").read_bytes().startswith(b"\x89PNG")


def test_the_makefile_has_every_verb_the_docs_name() -> None:
    makefile = (ROOT / "Makefile").read_text()
    named = {verb for page in pages() for verb in re.findall(r"`make (\w+)`", page.read_text())}
    assert named
    assert not {verb for verb in named if not re.search(rf"^{verb}:", makefile, re.MULTILINE)}


@pytest.mark.parametrize("page", pages(), ids=lambda page: page.name)
def test_every_link_within_the_project_leads_somewhere(page: Path) -> None:
    broken = [link for link in links(page) if not (page.parent / link).exists()]
    assert not broken


@pytest.mark.skipif(shutil.which("make") is None, reason="needs make")
def test_plain_make_lists_the_verbs() -> None:
    listed = subprocess.run(["make", "-s"], cwd=ROOT, capture_output=True, text=True, check=True).stdout  # noqa: S607
    assert {"make setup", "make test", "make check", "make demo", "make bench"} <= {
        " ".join(line.split()[:2]) for line in listed.splitlines()
    }
