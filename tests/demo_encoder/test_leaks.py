"""Copies of images over a split are found: those as JPEG and of other sizes at the default, mirrored ones on demand."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pytest
from PIL import Image

from mcp_cxr.archive import mark_as_demo, open_archive
from mcp_cxr.demo import ENCODER_FOLDER
from mcp_cxr.images import DisplayOptions
from mcp_cxr.research.cohorts import leak_cosine
from tests.server.archives import environment, settings
from tests.support.planted_copies import ALL_FOUND, decoded, plant_copies

if TYPE_CHECKING:
    from pathlib import Path

    from mcp_cxr.demo import DemoDataSet
    from mcp_cxr.settings import Settings


@pytest.fixture
def demo_settings(tmp_path: Path) -> Settings:
    data = tmp_path / "data"
    data.mkdir(mode=0o700)
    mark_as_demo(data)
    encoder = {"MCP_CXR_EMBEDDER": "local", "MCP_CXR_MODEL_DIR": str(ENCODER_FOLDER)}
    return settings({**environment(data), **encoder})


async def test_copies_are_found_over_a_split(demo_settings: Settings, demo: DemoDataSet, tmp_path: Path):
    images = tmp_path / "images"
    async with open_archive(demo_settings) as archive:
        await archive.ingest(demo.folder)
        planted = await plant_copies(archive, ALL_FOUND)
        first = (await archive.store.images_after(None, limit=1))[0]
        grays = decoded((await archive.view(first.image.image_id, DisplayOptions(max_px=512))).data)
        (images / "split").mkdir(parents=True)
        Image.fromarray(np.ascontiguousarray(grays[:, ::-1])).save(images / "split" / "mirrored.png")
        await archive.ingest(images)
        seed, copy, split_of = 0, "", dict[str, str | None]()
        while split_of.get(copy) == split_of.get(first.image.image_id):  # until the border is between the two
            seed += 1
            made = await archive.make_cohort(f"seed-{seed}", split="50/50", seed=seed)
            split_of = {row.image_id: row.split for row in made.rows}
            (copy,) = set(split_of) - {image.image_id for image in demo.images}
        made = await archive.make_cohort("mirrored", split="50/50", seed=seed, mirrored=True)
    least = leak_cosine(archive.embedder.near_duplicate_cosine)
    assert {kind: planted.found(kind, least) for kind in ALL_FOUND} == dict.fromkeys(ALL_FOUND, (1.0, 0))
    assert sorted([first.image.image_id, copy]) in made.header["leaks"]["mirrored"]["image_ids"]
    assert made.header["leaks"]["near_duplicates"]["pairs"] == 0
