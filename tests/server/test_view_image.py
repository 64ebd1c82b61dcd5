"""view_image: the film as a host's model sees it."""

from __future__ import annotations

import base64
import io
import json
from typing import TYPE_CHECKING, Any

import numpy as np
from PIL import Image

from tests.server.conftest import wire_bytes

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from tests.server.archives import Ingested
    from tests.server.conftest import Host

FACTS = "image_id width height film_rows film_columns view_position grey_scale".split()


async def look(host: Host, **arguments: Any) -> tuple[NDArray[np.uint8], dict[str, Any]]:
    """Return the pixels, and what is said of them."""
    result = await host.client.call_tool("view_image", arguments)
    assert not result.is_error, result.content
    assert result.structured_content is None
    picture, text = result.content
    assert picture.type == "image"
    assert text.type == "text"
    facts = json.loads(text.text)
    assert list(facts) == FACTS
    with Image.open(io.BytesIO(base64.b64decode(picture.data))) as image:
        assert Image.MIME[image.format or ""] == picture.mime_type
        assert image.size == (facts["width"], facts["height"])
        assert wire_bytes(result) < 1_000_000
        return np.asarray(image.convert("L")), facts


async def test_the_whole_film_comes_in_its_own_size(host: Host, demo: Ingested):
    image = demo.drawn.images[0]
    pixels, facts = await look(host, image_id=image.image_id)
    assert pixels.shape == (facts["film_rows"], facts["film_columns"])
    assert facts["image_id"] == image.image_id
    assert pixels.std() > 10


async def test_a_small_picture_keeps_the_films_shape(host: Host, demo: Ingested):
    pixels, facts = await look(host, image_id=demo.drawn.images[0].image_id, max_px=128)
    assert max(pixels.shape) == 128
    assert abs(pixels.shape[1] / pixels.shape[0] - facts["film_columns"] / facts["film_rows"]) < 0.01


async def test_invert_swaps_black_and_white(host: Host, demo: Ingested):
    image_id = demo.drawn.images[0].image_id
    plain, _ = await look(host, image_id=image_id)
    swapped, facts = await look(host, image_id=image_id, invert=True)
    assert np.abs(plain.astype(int) + swapped - 255).max() <= 1
    assert facts["grey_scale"]["inverted"] is True


async def test_a_region_is_cut_out_of_the_film(host: Host, demo: Ingested):
    image_id = demo.drawn.images[0].image_id
    whole, _ = await look(host, image_id=image_id)
    part, _ = await look(host, image_id=image_id, region=[0.5, 0.25, 1, 0.75])
    rows, columns = whole.shape
    assert np.array_equal(part, whole[rows // 4 : rows // 4 + len(part), columns // 2 :])


async def test_a_window_is_used_and_said(host: Host, demo: Ingested):
    image_id = demo.drawn.images[0].image_id
    wide, _ = await look(host, image_id=image_id, window_center=2048, window_width=8192)
    narrow, facts = await look(host, image_id=image_id, window_center=2048, window_width=200)
    assert narrow.std() > wide.std()
    assert (facts["grey_scale"]["center"], facts["grey_scale"]["width"]) == (2048, 200)
