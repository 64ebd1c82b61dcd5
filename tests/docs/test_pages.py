"""The pages name existing make targets and files."""

from __future__ import annotations

import re
import shutil
import subprocess
from typing import TYPE_CHECKING

import pytest

from mcp_cxr import __version__
from tests.docs.pages import ROOT, links, pages

if TYPE_CHECKING:
    from pathlib import Path


def test_the_makefile_has_every_target_that_docs_and_ci_name() -> None:
    makefile = (ROOT / "Makefile").read_text()
    texts = [page.read_text() for page in (*pages(), ROOT / ".github" / "workflows" / "ci.yml")]
    named = {verb for text in texts for verb in re.findall(r"(?:`|^|run: )make ([\w-]+)", text, re.MULTILINE)}
    assert {"test", "test-iris", "handout", "release"} <= named
    assert not {verb for verb in named if not re.search(rf"^{verb}:", makefile, re.MULTILINE)}


@pytest.mark.parametrize("page", pages(), ids=lambda page: page.name)
def test_every_link_within_the_project_exists(page: Path) -> None:
    broken = [link for link in links(page) if not (page.parent / link).exists()]
    assert not broken


def test_the_entry_page_links_every_page() -> None:
    entry = ROOT / "docs" / "README.md"
    linked = {(entry.parent / link).resolve() for link in links(entry)}
    assert set(pages()) - linked == {ROOT / "README.md", entry}


def test_the_install_page_names_the_wheel_of_this_version() -> None:
    assert set(re.findall(r"mcp_cxr-(.+?)-py3", (ROOT / "docs" / "install.md").read_text())) == {__version__}


@pytest.mark.skipif(shutil.which("make") is None, reason="needs make")
def test_make_without_arguments_lists_the_targets() -> None:
    listed = subprocess.run(["make", "-s"], cwd=ROOT, capture_output=True, text=True, check=True).stdout  # noqa: S607  # any make
    assert {"make setup", "make test", "make check", "make demo", "make bench"} <= {
        " ".join(line.split()[:2]) for line in listed.splitlines()
    }
