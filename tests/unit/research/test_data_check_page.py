"""The web page of a check stands alone, stays small, and says what of patients is in it."""

from __future__ import annotations

import re
import sys
from dataclasses import replace

import pytest

from mcp_cxr.errors import ConfigError
from mcp_cxr.records import ImageId, StudyId, SubjectId
from mcp_cxr.research.data_check import CheckEntry, CheckList, DataCheck, PageImages, images_shown, page_writer


def entry(number: int, *, images: int = 1, reason: str = "It looks inverted.") -> CheckEntry:
    return CheckEntry(
        key=f"orientation|{number}",
        images=tuple(ImageId(f"image-{number}-{place}") for place in range(images)),
        studies=(StudyId(f"s{number}"),),
        subjects=(SubjectId(f"p{number}"),),
        reason=reason,
        score=1.5,
    )


def check_of(*lists: CheckList) -> DataCheck:
    return DataCheck("2026-11-30T04:00:00+00:00", "1.0", "made-up", 300, 200, 100, 1.0, lists)


def rendered(check: DataCheck, size: int = 1000) -> str:
    images = PageImages()
    for image in images_shown(check):
        images.add(image, b"\xff" * size)
    return page_writer()(check, images)


def test_the_page_needs_nothing_else_and_counts_its_images() -> None:
    html = rendered(check_of(CheckList("orientation", tuple(map(entry, range(3))), 3)))
    assert set(re.findall(r'(?:src|href)="([^"]{5})', html)) == {"data:", "#orie"}
    assert "<script" not in html
    assert "This file holds 3 images of patients" in html
    assert "no words of reports" in html


def test_the_first_entries_of_a_long_list_are_shown() -> None:
    html = rendered(check_of(CheckList("orientation", tuple(map(entry, range(50))), 900)))
    assert html.count("<img") == 24
    assert "900 found, the first 24 shown" in html


def test_images_beyond_the_bound_are_left_out_and_named() -> None:
    html = rendered(check_of(CheckList("orientation", tuple(map(entry, range(20))), 20)), size=2**20)
    assert html.count("<img") == 12
    assert html.count("left out: the page would be too large") == 8
    assert len(html) < 20 * 2**20


def test_an_image_that_cannot_be_read_has_its_reason_in_its_place() -> None:
    check = check_of(CheckList("duplicates", (entry(1, images=2),), 1))
    images = PageImages()
    for image in images_shown(check):
        images.add(image, "file gone or changed")
    assert page_writer()(check, images).count("No image: file gone or changed") == 2


def test_data_is_text_and_decisions_and_missing_lists_are_said() -> None:
    wrong = replace(entry(1, reason="Label <b>x</b> & y."), decision="wrong")
    missing = CheckList("reports", not_made="The archive has no reports.")
    html = rendered(check_of(CheckList("orientation", (wrong,), 1), missing))
    assert "Label &lt;b&gt;x&lt;/b&gt; &amp; y." in html
    assert "decided: data is wrong" in html
    assert "not made: The archive has no reports." in html


def test_without_jinja2_it_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "jinja2", None)
    with pytest.raises(ConfigError, match=r"needs jinja2: pip install \"mcp-cxr\[plots\]\""):
        page_writer()
