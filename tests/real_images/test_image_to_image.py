"""Real images by example: a sketch of pixels finds images made alike."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.support.images_by_patient import image_to_image

if TYPE_CHECKING:
    from pathlib import Path

pytestmark = pytest.mark.real


async def test_images_of_other_patients_in_the_same_view_and_of_the_same_place_come_first(real_images: Path) -> None:
    measured = {one.fact: one for one in await image_to_image(real_images)}
    for fact in ("view", "folder"):
        assert measured[fact].images > 50
        assert measured[fact].found > measured[fact].chance + 0.05
