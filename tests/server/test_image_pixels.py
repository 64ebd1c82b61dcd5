"""get_image_pixels: an image's stored values for the viewer page."""

from __future__ import annotations

import base64
import io
import json
import zlib
from typing import TYPE_CHECKING, Any

import numpy as np
import pydicom
import pytest
from PIL import Image

from tests.server.conftest import wire_bytes

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from tests.server.archives import Ingested
    from tests.server.conftest import Host


async def asked(host: Host, **arguments: Any) -> dict[str, Any]:
    """Return the JSON of an overview or a tile."""
    result = await host.client.call_tool("get_image_pixels", arguments)
    assert not result.is_error, result.content
    assert result.structured_content is None
    assert wire_bytes(result) < 1_000_000
    (text,) = result.content
    assert text.type == "text"
    return json.loads(text.text)


def decompressed(part: dict[str, Any]) -> NDArray[np.uint16]:
    """Decode base64, zlib and the differences, as the tool's description says."""
    steps = np.frombuffer(zlib.decompress(base64.b64decode(part["data"])), "<u2")
    return np.cumsum(steps.reshape(part["height"], part["width"]), axis=1, dtype=np.uint16)


async def test_values_are_those_of_the_file(host: Host, demo: Ingested):
    image = next(one for one in demo.drawn.images if one.syntax == "explicit")
    file = pydicom.dcmread(image.path)
    part = await asked(host, image_id=image.image_id)
    assert (part["factor"], part["left"], part["top"]) == (1, 0, 0)
    assert np.array_equal(decompressed(part) + part["low"], file.pixel_array)
    assert (part["spacing_mm"], part["spacing_source"]) == (
        [float(one) for one in file.PixelSpacing],
        "ImagerPixelSpacing",
    )


async def test_grays_with_the_default_window_equal_those_of_view_image(host: Host, demo: Ingested):
    for image in demo.drawn.images[:6]:
        part = await asked(host, image_id=image.image_id)
        grays = np.frombuffer(zlib.decompress(base64.b64decode(part["grays"])), np.uint8)
        picture, _ = (await host.client.call_tool("view_image", {"image_id": image.image_id})).content
        assert picture.type == "image"
        with Image.open(io.BytesIO(base64.b64decode(picture.data))) as seen:
            assert np.array_equal(grays[decompressed(part)], np.asarray(seen))


async def test_an_overview_is_made_of_block_means(host: Host, demo: Ingested):
    image_id = demo.drawn.images[0].image_id
    whole, small = decompressed(await asked(host, image_id=image_id)), await asked(host, image_id=image_id, max_px=100)
    factor = small["factor"]
    rows, columns = (side // factor * factor for side in whole.shape)
    means = whole[:rows, :columns].reshape(rows // factor, factor, columns // factor, factor).mean(axis=(1, 3))
    assert factor == 8
    assert max(small["width"], small["height"]) <= 100
    assert np.abs(decompressed(small)[: len(means), : means.shape[1]] - means).max() <= 0.5


async def test_tiles_cover_the_image(host: Host, demo: Ingested):
    image_id = max(demo.drawn.images, key=lambda image: pydicom.dcmread(image.path).Rows).image_id
    whole = decompressed(await asked(host, image_id=image_id))
    seen = np.zeros_like(whole)
    assert len(whole) > 512
    for row in range(2):
        part = await asked(host, image_id=image_id, tile=[0, row])
        assert "grays" not in part
        rows, columns = part["height"], part["width"]
        seen[part["top"] : part["top"] + rows, part["left"] : part["left"] + columns] = decompressed(part)
    assert np.array_equal(seen, whole)


@pytest.mark.parametrize(
    ("arguments", "text"),
    [
        ({"tile": [9, 9]}, "Tile [9, 9] does not exist at this factor."),
        ({"tile": [-1, 0]}, "Tile [-1, 0] does not exist"),
        ({"tile": [0, 0], "factor": 3}, "factor must be a power of two, not 3"),
        ({"max_px": 4000}, "max_px"),
        ({"zoom": 2}, "Unknown argument zoom"),
    ],
)
async def test_unknown_images_and_tiles_are_refused(host: Host, demo: Ingested, arguments: dict[str, Any], text: str):
    assert text in await host.refused("get_image_pixels", image_id=demo.drawn.images[0].image_id, **arguments)


class TestImagesNotShared:
    @pytest.fixture
    def share(self) -> tuple[str, ...]:
        return ("reports",)

    async def test_there_are_no_pixels(self, host: Host, demo: Ingested):
        image_id = demo.drawn.images[0].image_id
        assert "add images to MCP_CXR_SHARE" in await host.refused("get_image_pixels", image_id=image_id)
        assert "add images to MCP_CXR_SHARE" in await host.refused("view_image", image_id=[image_id, image_id])
