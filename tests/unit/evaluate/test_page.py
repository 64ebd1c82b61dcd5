"""The page of an evaluation stands alone and shows every figure."""

from __future__ import annotations

import re
import sys
from html import unescape
from html.parser import HTMLParser
from typing import TYPE_CHECKING

import pytest

from mcp_cxr.errors import ConfigError
from mcp_cxr.evaluate import Evaluation, page_writer
from tests.unit.evaluate.making import ground, knowing
from tests.unit.evaluate.test_whole_search import evaluated

if TYPE_CHECKING:
    from pathlib import Path

VOID = {"meta", "br", "link", "img"}


class Checked(HTMLParser):
    """Reads a page: its tags must close in order, and its ids of plots must be its own."""

    def __init__(self) -> None:
        super().__init__()
        self.open: list[str] = []
        self.outside: list[str] = []
        self.plots = 0

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.plots += tag == "svg"
        for name, value in attrs:
            if name in ("href", "src", "xlink:href", "action") and not (value or "").startswith("#"):
                self.outside.append(f"{tag} {name}={value}")
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.handle_starttag(tag, attrs)
        if tag not in VOID:
            self.open.pop()

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag


@pytest.fixture
async def evaluation(tmp_path: Path) -> Evaluation:
    films, _ = knowing(60)
    async with ground(tmp_path / "plan", films, resamples=20) as made:
        return await evaluated(tmp_path / "archive", films, made.plan)


async def test_a_page_needs_nothing_beside_it_and_shows_every_figure(evaluation: Evaluation) -> None:
    page = page_writer()(evaluation)
    read = Checked()
    read.feed(page)
    assert read.open == []
    assert read.outside == []
    assert "@import" not in page
    assert not re.search(r"url\((?!#)", page)
    assert read.plots == 6
    assert "prefers-color-scheme: dark" in page
    assert not re.search(r"#0[0-9]0[0-9a-f]0[0-9a-f]", page)  # each colour of a plot became one of the page
    text = unescape(re.sub(r"<[^>]+>", " ", page))
    for protocol, one in evaluation.figures():
        assert f"{one.value:.3f}" in text, (protocol, one.name)
    for measured in evaluation.protocols:
        assert measured.title in text
        assert all(f"Removed: {what}." in text for what in measured.removed)


async def test_the_same_evaluation_makes_the_same_page(evaluation: Evaluation) -> None:
    assert page_writer()(evaluation) == page_writer()(evaluation)


def test_without_matplotlib_it_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "matplotlib", None)
    monkeypatch.delitem(sys.modules, "mcp_cxr.evaluate.page._plots", raising=False)
    monkeypatch.delattr("mcp_cxr.evaluate.page._plots", raising=False)
    with pytest.raises(ConfigError, match=r"mcp-cxr\[plots\]"):
        page_writer()
