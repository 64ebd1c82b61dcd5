"""The page's layout: nothing is cut off or too small to click, at any width, in both themes; and the docs' pictures.

`REFRESH_SNAPSHOTS=1` takes the pictures again; look at them.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from tests.browser.conftest import Show
    from tests.browser.hosting import OpenViewer

pytestmark = pytest.mark.browser

DOCS = Path(__file__).parents[2] / "docs"
PICTURES = {  # name: step, width, theme
    "viewer-results.png": ("results", 800, "light"),
    "viewer-image.png": ("image", 1400, "dark"),
    "viewer-compare.png": ("compare", 1400, "light"),
}
CUT_OFF = """() => {
    const shown = (one) => one.checkVisibility({ visibilityProperty: true });
    const small = [...document.querySelectorAll("button, select, input:not(.chip input, .check input), .chip, .check")]
        .filter((one) => shown(one))
        .filter((one) => { const box = one.getBoundingClientRect(); return box.width < 44 || box.height < 44; });
    const wide = [...document.querySelectorAll("main *")].filter(shown)
        .filter((one) => one.getBoundingClientRect().right > document.documentElement.clientWidth + 0.5)
        .filter((one) => !one.closest(".visually-hidden, .excerpt, .ids, svg"));
    return [small, wide].map((found) => found.map((one) => one.outerHTML.slice(0, 100)));
}"""


WIDTHS = (360, 800, 1400)


async def check_layout(shown: OpenViewer, step: str, theme: str, folder: Path) -> None:
    """Check a step at every width, and take its picture if the docs have one."""
    for width in WIDTHS:
        await shown.page.set_viewport_size({"width": width, "height": 700})
        await shown.page.mouse.move(1, 1)
        await shown.drawn()
        assert await shown.frame.evaluate(CUT_OFF) == [[], []], (step, width)
        assert await shown.frame.evaluate("() => document.getElementById('app').getBoundingClientRect().height") <= 500
        wanted = [DOCS / name for name, taken in PICTURES.items() if taken == (step, width, theme)]
        place = wanted[0] if wanted and os.environ.get("REFRESH_SNAPSHOTS") else folder / f"{step}-{width}-{theme}.png"
        await shown.page.locator("iframe").screenshot(path=place)
        assert place.stat().st_size > 5_000


@pytest.mark.parametrize("theme", ["light", "dark"])
async def test_nothing_is_cut_off_or_too_small(show: Show, theme: str, tmp_path: Path):
    async with show(question={"query": "left pleural effusion", "limit": 5}, size=(1400, 700), theme=theme) as shown:
        await shown.ready()
        await shown.frame.wait_for_function("() => document.querySelectorAll('.thumbnail.ready').length === 5")
        await check_layout(shown, "results", theme, tmp_path)
        await shown.button("Filters").click()
        await check_layout(shown, "filters", theme, tmp_path)
        await shown.button("Filters").click()
        for place in range(3):
            await shown.find("button[aria-label^='Compare image']").nth(place).click()
        await shown.button("Compare 3").click()
        await shown.find(".viewport canvas").nth(2).wait_for()
        await check_layout(shown, "compare", theme, tmp_path)
        await shown.button("Back to the results").click()
        await shown.page.set_viewport_size({"width": 1400, "height": 700})
        await shown.open_image()
        await shown.find("mark").first.wait_for()
        await check_layout(shown, "image", theme, tmp_path)


def test_the_pictures_in_docs_are_there():
    assert [name for name in PICTURES if not (DOCS / name).read_bytes().startswith(b"\x89PNG")] == []
