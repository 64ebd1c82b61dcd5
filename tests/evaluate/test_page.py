"""The web page of an evaluation is self-contained and shows every figure."""

from __future__ import annotations

import re
import sys
from html import unescape
from html.parser import HTMLParser
from typing import TYPE_CHECKING

import anyio
import pytest

from mcp_cxr.errors import ConfigError
from mcp_cxr.evaluate import CodesFile, Evaluation, page_writer
from mcp_cxr.evaluate.protocols import measure_reader
from tests.evaluate.test_search_protocols import evaluated
from tests.support.companions import table
from tests.unit.evaluate.archives import evaluation_context, labeled_images
from tests.unit.evaluate.test_files import evaluation as evaluation_of

if TYPE_CHECKING:
    from pathlib import Path

VOID = {"meta", "br", "link", "img"}


class PageChecker(HTMLParser):
    """Checks that the tags of a page close in order; counts its plots and collects its references to other files."""

    def __init__(self) -> None:
        super().__init__()
        self.open: list[str] = []
        self.external: list[str] = []
        self.plots = 0

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.plots += tag == "svg"
        for name, value in attrs:
            if name in ("href", "src", "xlink:href", "action") and not (value or "").startswith("#"):
                self.external.append(f"{tag} {name}={value}")
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.handle_starttag(tag, attrs)
        if tag not in VOID:
            self.open.pop()

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag


@pytest.fixture(scope="module")
def evaluation() -> Evaluation:
    return anyio.run(_evaluation)


async def _evaluation() -> Evaluation:
    images, _ = labeled_images(60)
    async with evaluation_context(images, resamples=20) as context:
        return await evaluated(images, context.plan)


def test_a_page_is_self_contained_and_shows_every_figure(evaluation: Evaluation) -> None:
    page = page_writer()(evaluation)
    checker = PageChecker()
    checker.feed(page)
    assert checker.open == []
    assert checker.external == []
    assert "@import" not in page
    assert not re.search(r"url\((?!#)", page)
    assert checker.plots == 6
    assert "prefers-color-scheme: dark" in page
    assert not re.search(
        r"#0[0-9]0[0-9a-f]0[0-9a-f]", page
    )  # each color of a plot was replaced by a variable of the page
    text = unescape(re.sub(r"<[^>]+>", " ", page))
    for protocol, one in evaluation.figures():
        assert f"{one.value:.3f}" in text, (protocol, one.name)
    for result in evaluation.measured:
        assert result.title in text
        assert all(f"Left out to avoid leakage: {what}." in text for what in result.removed)


def test_what_is_not_measured_stands_at_the_end_with_its_reason(evaluation: Evaluation) -> None:
    text = unescape(re.sub(r"<[^>]+>", "", page_writer()(evaluation)))
    measured, missing = text.split("Not measured")
    assert evaluation.not_measured
    for one in evaluation.not_measured:
        assert one.reason in missing
        assert one.reason not in measured
    assert "nan" not in text.split()


def test_the_page_of_a_reader_alone_shows_agreement_and_disagreements(tmp_path: Path) -> None:
    codes = CodesFile.read(table(tmp_path / "codes.csv", ("study_id", "finding", "value"), (1, "effusion", 1)))
    result = measure_reader({"s1": "FINDINGS: No <b>pleural</b> effusion."}, codes)
    whole = evaluation_of(protocols=[result], model=None, dimension=None, images=None, subjects=None, truth="codes.csv")
    page = page_writer()(whole)
    PageChecker().feed(page)
    text = unescape(re.sub(r"<[^>]+>", "", page))
    assert "How well reports are read" in text
    assert "s1 read absent, coded present: No <b>pleural</b> effusion." in text
    assert "&lt;b&gt;" in page
    assert "None" not in text
    assert "resampled" not in text


def test_the_same_evaluation_gives_the_same_page(evaluation: Evaluation) -> None:
    assert page_writer()(evaluation) == page_writer()(evaluation)


@pytest.mark.parametrize("library", ["jinja2", "matplotlib"])
def test_a_missing_library_is_an_error_that_names_the_extra(monkeypatch: pytest.MonkeyPatch, library: str) -> None:
    monkeypatch.setitem(sys.modules, library, None)
    monkeypatch.delitem(sys.modules, "mcp_cxr.evaluate.page._plots", raising=False)
    monkeypatch.delattr("mcp_cxr.evaluate.page._plots", raising=False)
    with pytest.raises(ConfigError, match=r"mcp-cxr\[plots\]"):
        page_writer()
