"""One image in the viewer: grays, geometry and distances are correct, by mouse, by touch and by keys."""

from __future__ import annotations

import re
from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import pydicom
import pytest
from pydicom.pixels.processing import apply_windowing

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from mcp_cxr.demo import DemoImage
    from tests.browser.conftest import Show
    from tests.browser.hosting import OpenViewer
    from tests.server.archives import Ingested

pytestmark = pytest.mark.browser

PART = 64
"""Side, in pixels, of the part of a canvas that is compared."""


@dataclass(frozen=True, slots=True)
class KnownImage:
    """An image of the demo, and its DICOM file as pydicom reads it."""

    image: DemoImage
    file: pydicom.Dataset

    @property
    def question(self) -> dict[str, Any]:
        return {"study_id": self.image.study_id, "view": [self.image.view], "group": "none"}

    @property
    def stored(self) -> NDArray[np.uint16]:
        return self.file.pixel_array

    def windowed(self, center: float, width: float) -> NDArray[np.uint8]:
        """Grays as pydicom windows them; dense tissue is bright."""
        asked = pydicom.Dataset()
        asked.PhotometricInterpretation, asked.BitsStored, asked.PixelRepresentation = "MONOCHROME2", 8, 0
        asked.WindowCenter, asked.WindowWidth = center, width
        shown = apply_windowing(self.stored.astype(np.float64), asked) / 255
        if self.image.monochrome1:
            shown = 1 - shown
        return np.floor(shown * 255 + 1e-6).astype(np.uint8)


def known(demo: Ingested, *, monochrome1: bool = False) -> KnownImage:
    image = next(
        one
        for one in demo.drawn.images
        if one.voi == "window" and one.syntax == "explicit" and one.monochrome1 == monochrome1
    )
    return KnownImage(image, pydicom.dcmread(image.path))


async def at_full_size(shown: OpenViewer) -> None:
    """Zoom to one image pixel per screen pixel."""
    await shown.find(".viewport canvas").first.focus()
    await shown.page.keyboard.press("a")
    await shown.find(".readout").filter(has_text="100 %").first.wait_for()
    await shown.drawn()


async def seen(shown: OpenViewer) -> NDArray[np.uint8]:
    """The middle of the canvas."""
    width, height = await shown.size()
    grays = await shown.pixels(width // 2 - PART // 2, height // 2 - PART // 2, PART, PART)
    return np.array(grays, np.uint8).reshape(PART, PART)


async def middle_of(shown: OpenViewer, image: NDArray[Any]) -> NDArray[Any]:
    """The part of an image that is visible at full size."""
    width, height = await shown.size()
    rows, columns = image.shape
    left = width // 2 - PART // 2 - round(width / 2 - columns / 2)
    top = height // 2 - PART // 2 - round(height / 2 - rows / 2)
    return image[top : top + PART, left : left + PART]


async def drag(shown: OpenViewer, dx: int, dy: int) -> None:
    box = await shown.find(".viewport canvas").first.bounding_box()
    assert box
    x, y = box["x"] + box["width"] // 2, box["y"] + box["height"] // 2
    await shown.page.mouse.move(x, y)
    await shown.page.mouse.down()
    await shown.page.mouse.move(x + dx, y + dy, steps=4)
    await shown.page.mouse.up()


async def zoom_of(shown: OpenViewer, index: int = 0) -> int:
    text = await shown.find(".viewport").nth(index).locator(".readout").first.inner_text()
    return int(text.split()[-2])


async def choose_preset(shown: OpenViewer, name: str) -> None:
    """Choose a window; its number stands before its name."""
    option = shown.find("select option").filter(has_text=name)
    await shown.find("select").select_option(await option.get_attribute("value"))


async def measured(shown: OpenViewer) -> str:
    await shown.frame.wait_for_function("() => document.getElementById('status').textContent.startsWith('Measured')")
    return await shown.find("#status").inner_text()


@pytest.mark.parametrize("monochrome1", [False, True])
async def test_a_drag_changes_the_window_as_computed(show: Show, demo: Ingested, monochrome1: bool):
    known_image = known(demo, monochrome1=monochrome1)
    async with show(question=known_image.question) as shown:
        await shown.ready()
        await shown.open_image()
        await at_full_size(shown)
        before = await seen(shown)
        await choose_preset(shown, "Window 1 of the file")
        center, width = float(known_image.file.WindowCenter), float(known_image.file.WindowWidth)
        assert np.array_equal(await seen(shown), await middle_of(shown, known_image.windowed(center, width)))
        await drag(shown, -64, 32)
        span = int(known_image.stored.max()) - int(known_image.stored.min())
        moved = (center + (-1 if monochrome1 else 1) * 32 / 512 * span, width - 64 / 512 * span)
        after = await seen(shown)
        assert np.array_equal(after, await middle_of(shown, known_image.windowed(*moved)))
        assert after.mean() < before.mean()  # down is darker
        assert await shown.find("select").input_value() == "manual"
        await shown.button("Invert (I)").click()
        assert np.abs(await seen(shown) + after.astype(int) - 255).max() <= 1
        await shown.button("Reset").click()
        await at_full_size(shown)
        assert np.array_equal(await seen(shown), before)


async def test_rotate_and_flip_move_pixels_and_change_none(show: Show, demo: Ingested):
    known_image = known(demo)
    async with show(question=known_image.question) as shown:
        await shown.ready()
        await shown.open_image()
        await at_full_size(shown)
        upright = await seen(shown)
        await shown.button("Rotate (R)").click()
        assert_shifted(await seen(shown), np.rot90(upright, -1))
        await shown.button("Flip (F)").click()
        assert_shifted(await seen(shown), np.rot90(upright, -1)[:, ::-1])
        for _ in range(3):
            await shown.button("Rotate (R)").click()
        assert_shifted(await seen(shown), np.rot90(np.rot90(upright, -1)[:, ::-1], -3))


def assert_shifted(one: NDArray[np.uint8], other: NDArray[np.uint8]) -> None:
    """Assert equality, except for a shift of one pixel that an odd size causes."""
    inner = one[1:-1, 1:-1].astype(int)
    moved = [other[1 + y : PART - 1 + y, 1 + x : PART - 1 + x] for y in (-1, 0, 1) for x in (-1, 0, 1)]
    assert min(np.abs(inner - each).max() for each in moved) == 0


async def test_the_ruler_is_accurate_to_a_pixel(show: Show, demo: Ingested):
    known_image = known(demo)
    spacing = float(known_image.file.PixelSpacing[0])
    async with show(question=known_image.question) as shown:
        await shown.ready()
        await shown.open_image()
        await at_full_size(shown)
        await shown.button("Ruler (M)").click()
        await drag(shown, 120, 50)
        assert await measured(shown) == f"Measured {np.hypot(120, 50) * spacing:.1f} mm at detector."
        width, height = await shown.size()
        ends = [(width // 2 + round(120 * share), height // 2 + round(50 * share)) for share in (0.05, 0.5, 0.95)]
        for x, y in ends:  # the line is where it was drawn: bright yellow, within a pixel
            assert max(await shown.pixels(x - 1, y - 1, 3, 3)) > 240
        await shown.page.keyboard.press("Delete")
        await shown.page.keyboard.press("0")
        await drag(shown, 0, -100)
        length = float(re.findall(r"[\d.]+", await measured(shown))[0])
        scale = min(width / known_image.stored.shape[1], height / known_image.stored.shape[0])
        assert abs(length - 100 / scale * spacing) <= spacing


async def test_keys_do_all_that_a_pointer_does(show: Show, demo: Ingested):
    """From the first image to the results again, without a pointer."""
    known_image = known(demo)
    async with show(question=known_image.question) as shown:
        await shown.ready()
        press = shown.page.keyboard.press
        await shown.find("body").evaluate("(body) => window.focus()")
        for _ in range(20):
            await press("Tab")
            if await shown.frame.evaluate("() => document.activeElement.matches('button.thumbnail')"):
                break
        await press("Enter")
        await shown.find(".viewport canvas").wait_for()
        await shown.frame.wait_for_function("() => document.activeElement.tagName === 'CANVAS'")
        await press("a")
        await shown.find(".readout").filter(has_text="100 %").first.wait_for()
        plain = await seen(shown)
        await press("i")
        assert np.array_equal(await seen(shown), 255 - plain)
        await press("i")
        await press("ArrowRight")
        assert np.array_equal((await seen(shown))[:, : PART - 40], plain[:, 40:])
        await press("ArrowLeft")
        await press("Shift+ArrowDown")
        assert (await seen(shown)).mean() < plain.mean()
        await press("m")
        await press("Enter")
        for _ in range(3):
            await press("Shift+ArrowRight")
        await press("Enter")
        assert await measured(shown) == f"Measured {30 * float(known_image.file.PixelSpacing[0]):.1f} mm at detector."
        await press("Escape")
        await shown.frame.wait_for_function("() => document.activeElement.matches('button.thumbnail')")


async def test_a_key_is_obeyed_as_soon_as_the_image_has_the_focus(show: Show, demo: Ingested):
    async with show(question=known(demo).question) as shown:
        await shown.ready()
        await shown.frame.evaluate(
            """() => addEventListener("focusin", ({ target }) => target.matches("canvas") &&
                target.dispatchEvent(new KeyboardEvent("keydown", { key: "a", bubbles: true })))"""
        )
        await shown.open_image()
        await shown.drawn()
        assert await zoom_of(shown) == 100


async def test_what_comes_late_changes_neither_scale_nor_focus(show: Show, demo: Ingested):
    studies = Counter(image.subject_id for image in {one.study_id: one for one in demo.drawn.images}.values())
    question = {"subject_id": studies.most_common(1)[0][0], "view": ["PA"]}
    async with show(question=question) as shown:
        await shown.ready()
        timeline, pixels = shown.hold("get_patient_timeline"), shown.hold("get_image_pixels")
        await shown.find("button.thumbnail").first.click()
        await shown.button("Report and details").focus()
        pixels.set()
        await shown.find(".viewport canvas").first.wait_for()
        assert await shown.frame.evaluate("() => document.activeElement.getAttribute('aria-label')") == (
            "Report and details"
        )
        await at_full_size(shown)
        before = await shown.size()
        timeline.set()
        await shown.find(".timeline").wait_for()
        await shown.drawn()
        assert await shown.size() != before
        assert await zoom_of(shown) == 100


async def test_wheel_and_pinch_zoom_around_the_pointer(show: Show, demo: Ingested):
    async with show(question=known(demo).question) as shown:
        await shown.ready()
        await shown.open_image()
        await shown.drawn()
        fit = await zoom_of(shown)
        await drag(shown, 0, 0)
        await shown.page.mouse.wheel(0, -400)
        await shown.drawn()
        assert abs(await zoom_of(shown) / fit - np.exp(0.6)) < 0.05
        await shown.button("Fit (0)").click()
        box = await shown.find(".viewport canvas").bounding_box()
        assert box
        x, y = box["x"] + box["width"] / 2, box["y"] + box["height"] / 2
        session = await shown.page.context.new_cdp_session(shown.page)
        for kind, apart in (("touchStart", 40), ("touchMove", 45), ("touchMove", 80), ("touchEnd", None)):
            points = [] if apart is None else [{"x": x - apart, "y": y, "id": 1}, {"x": x + apart, "y": y, "id": 2}]
            await session.send("Input.dispatchTouchEvent", {"type": kind, "touchPoints": points})
        await shown.drawn()
        assert 1.6 < await zoom_of(shown) / fit < 2.1


async def test_images_side_by_side_zoom_together_until_unlinked(show: Show):
    async with show(question={"query": "effusion", "limit": 4}) as shown:
        await shown.ready()
        for place in range(4):
            await shown.find("button[aria-label^='Compare image']").nth(place).click()
        await shown.button("Compare 4").click()
        await shown.find(".viewport canvas").nth(3).wait_for()
        await shown.drawn()
        fit = [await zoom_of(shown, index) for index in range(4)]
        await shown.button("Zoom in (+)").click()
        await shown.drawn()
        linked = [await zoom_of(shown, index) for index in range(4)]
        assert all(abs(now / before - 1.25) < 0.05 for now, before in zip(linked, fit, strict=True))
        await shown.button("Zoom and window all images together").click()
        await shown.button("Zoom in (+)").click()
        await shown.drawn()
        assert [await zoom_of(shown, index) for index in (1, 2, 3)] == linked[1:]
        assert await zoom_of(shown) > linked[0]
        await shown.find(".viewport canvas").nth(2).focus()
        await shown.button("Invert (I)").click()
        await shown.drawn()
        readouts = await shown.find(".readout:not(.name):not(.at-pointer)").all_inner_texts()
        assert ["inverted" in text for text in readouts] == [False, False, True, False]


async def test_the_report_beside_the_image_marks_the_matched_sentences(show: Show):
    async with show(question={"query": "pleural effusion", "limit": 5}) as shown:
        await shown.ready()
        await shown.open_image()
        await shown.find("mark").first.wait_for()
        for text in await shown.find("mark").all_inner_texts():
            assert "effusion" in text.lower()
        assert await shown.find("mark").count() < await shown.find(".panel p").count() * 3
        facts = await shown.find(".panel").inner_text()
        for text in ("REPORT", "WHY IT WAS FOUND", "DETAILS", "Pixel spacing, mm", "Transfer syntax"):
            assert text in facts
        first = await shown.find("h1").inner_text()
        await shown.page.keyboard.press("PageDown")
        await shown.frame.wait_for_function("(first) => document.querySelector('h1').innerText !== first", arg=first)
        assert (await shown.find("h1").inner_text()).startswith("2")
