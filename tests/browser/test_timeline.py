"""The strip of a patient's other studies, and two of them side by side."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import pytest

from tests.browser.test_hosts import faults
from tests.support.npm import axe

if TYPE_CHECKING:
    from tests.browser.conftest import Show
    from tests.server.archives import Ingested

pytestmark = pytest.mark.browser


def patient_with_two_studies(demo: Ingested) -> str:
    studies: dict[str, set[str]] = {}
    for image in demo.drawn.images:
        studies.setdefault(image.subject_id, set()).add(image.study_id)
    return next(subject for subject, of_subject in studies.items() if len(of_subject) == 2)


@pytest.mark.parametrize("width", [1280, 390])
async def test_an_image_is_compared_with_the_patient_s_other_study(show: Show, demo: Ingested, width: int):
    question = {"subject_id": patient_with_two_studies(demo), "view": ["PA"]}
    async with show(question=question, size=(width, 900)) as shown:
        await shown.ready()
        await shown.open_image()
        strip = shown.frame.get_by_role("navigation", name="Compare with another study of the patient")
        other = strip.get_by_role("button")
        await other.wait_for()
        assert await other.count() == 1
        assert "days " in await other.inner_text()
        await shown.frame.evaluate(axe())
        assert await faults(shown) == []
        if width > 760:
            await shown.frame.get_by_role("heading", name="Over time").wait_for()
        await other.focus()
        await shown.page.keyboard.press("Enter")
        await shown.find(".viewport canvas").nth(1).wait_for()
        await shown.drawn()
        assert await faults(shown) == []
        for name in await shown.find(".readout.name").all_inner_texts():  # which of the two is the earlier one
            assert re.search(r"\d{4}-\d\d-\d\d", name), name
        await shown.button("Back to the image").click()
        await other.wait_for()
        await shown.button("Back to the results").click()
        await shown.ready()


async def test_windows_of_images_side_by_side_change_together_until_unlinked(show: Show, demo: Ingested):
    async with show(question={"subject_id": patient_with_two_studies(demo), "view": ["PA"]}) as shown:
        await shown.ready()
        await shown.open_image()
        await shown.frame.get_by_role("navigation").get_by_role("button").first.click()
        await shown.find(".viewport canvas").nth(1).wait_for()
        before = [await shown.pixels(150, 150, 30, 30, index) for index in (0, 1)]
        canvas = await shown.find(".viewport canvas").first.bounding_box()
        assert canvas
        await shown.page.mouse.move(canvas["x"] + 100, canvas["y"] + 100)
        await shown.page.mouse.down()
        await shown.page.mouse.move(canvas["x"] + 100, canvas["y"] + 220, steps=4)
        await shown.page.mouse.up()
        changed = [await shown.pixels(150, 150, 30, 30, index) for index in (0, 1)]
        assert all(sum(now) < sum(then) for now, then in zip(changed, before, strict=True))
        await shown.button("Zoom and window all images together").click()
        await shown.button("Invert (I)").click()
        inverted = [await shown.pixels(150, 150, 30, 30, index) for index in (0, 1)]
        assert inverted[0] != changed[0]
        assert inverted[1] == changed[1]
        await shown.button("Zoom and window all images together").click()
        linked = await shown.pixels(150, 150, 30, 30, 1)
        assert linked != changed[1]
        await shown.button("Reset").click()
        assert [await shown.pixels(150, 150, 30, 30, index) for index in (0, 1)] == before


async def test_an_image_whose_patient_has_no_other_study_has_no_strip(show: Show, demo: Ingested):
    counts: dict[str, set[str]] = {}
    for image in demo.drawn.images:
        counts.setdefault(image.subject_id, set()).add(image.study_id)
    alone = next(subject for subject, studies in counts.items() if len(studies) == 1)
    async with show(question={"subject_id": alone}) as shown:
        await shown.ready()
        await shown.open_image()
        await shown.drawn()
        assert await shown.asked("get_patient_timeline")
        assert await shown.find(".timeline").count() == 0
