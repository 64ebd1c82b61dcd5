"""view_image: the image block and its facts."""

from __future__ import annotations

import base64
import io
import json
from typing import TYPE_CHECKING, Any

import numpy as np
from PIL import Image

from tests.server.conftest import wire_bytes

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from tests.server.archives import Ingested
    from tests.server.conftest import Host

FACTS = "note image_id width height image_rows image_columns view_position burned_in_annotation grayscale".split()


async def look(host: Host, **arguments: Any) -> tuple[NDArray[np.uint8], dict[str, Any]]:
    """Return the pixels and the facts of an image."""
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


async def test_the_whole_image_comes_at_full_size(host: Host, demo: Ingested):
    image = demo.drawn.images[0]
    pixels, facts = await look(host, image_id=image.image_id)
    assert pixels.shape == (facts["image_rows"], facts["image_columns"])
    assert facts["image_id"] == image.image_id
    assert pixels.std() > 10


async def test_a_small_view_keeps_the_aspect_ratio(host: Host, demo: Ingested):
    pixels, facts = await look(host, image_id=demo.drawn.images[0].image_id, max_px=128)
    assert max(pixels.shape) == 128
    assert abs(pixels.shape[1] / pixels.shape[0] - facts["image_columns"] / facts["image_rows"]) < 0.01


async def test_invert_swaps_black_and_white(host: Host, demo: Ingested):
    image_id = demo.drawn.images[0].image_id
    plain, _ = await look(host, image_id=image_id)
    swapped, facts = await look(host, image_id=image_id, invert=True)
    assert np.abs(plain.astype(int) + swapped - 255).max() <= 1
    assert facts["grayscale"]["inverted"] is True


async def test_a_region_is_cropped_from_the_image(host: Host, demo: Ingested):
    image_id = demo.drawn.images[0].image_id
    whole, _ = await look(host, image_id=image_id)
    part, _ = await look(host, image_id=image_id, region=[0.5, 0.25, 1, 0.75])
    rows, columns = whole.shape
    assert np.array_equal(part, whole[rows // 4 : rows // 4 + len(part), columns // 2 :])


async def test_a_window_is_used_and_returned(host: Host, demo: Ingested):
    image_id = demo.drawn.images[0].image_id
    wide, _ = await look(host, image_id=image_id, window_center=2048, window_width=8192)
    narrow, facts = await look(host, image_id=image_id, window_center=2048, window_width=200)
    assert narrow.std() > wide.std()
    assert (facts["grayscale"]["center"], facts["grayscale"]["width"]) == (2048, 200)


async def look_at(host: Host, image_ids: Sequence[str], **arguments: Any) -> tuple[NDArray[np.uint8], dict[str, Any]]:
    """Return the pixels and the facts of several images."""
    result = await host.client.call_tool("view_image", {"image_id": list(image_ids), **arguments})
    assert not result.is_error, result.content
    picture, text = result.content
    assert picture.type == "image"
    assert text.type == "text"
    facts = json.loads(text.text)
    assert wire_bytes(result) < 1_000_000
    with Image.open(io.BytesIO(base64.b64decode(picture.data))) as image:
        assert image.size == (facts["width"], facts["height"])
        return np.asarray(image.convert("L")), facts


async def test_images_are_shown_side_by_side(host: Host, demo: Ingested):
    ids = [image.image_id for image in demo.drawn.images[:4]]
    for count, (columns, rows) in {2: (2, 1), 3: (3, 1), 4: (2, 2)}.items():
        sheet, facts = await look_at(host, ids[:count])
        assert [image["image_id"] for image in facts["images"]] == ids[:count]
        assert [image["number"] for image in facts["images"]] == list(range(1, count + 1))
        assert max(sheet.shape) <= 1024
        assert max(sheet.shape) > 900
        for place in range(count):  # every cell holds an image
            down, across = sheet.shape[0] // rows, sheet.shape[1] // columns
            row, column = divmod(place, columns)
            assert sheet[row * down : (row + 1) * down, column * across : (column + 1) * across].std() > 20


async def test_a_contact_sheet_is_numbered_like_the_results(host: Host):
    page = await host.ask("search_medical_images", view=["PA", "AP", "LATERAL"], limit=4, offset=4, group="none")
    ids = [hit["image_id"] for hit in page["images"]]
    _, facts = await look_at(host, ids * 2, first_rank=page["images"][0]["rank"])
    assert [image["number"] for image in facts["images"]] == list(range(5, 13))
    assert [hit["rank"] for hit in page["images"]] == [5, 6, 7, 8]
    plain, _ = await look_at(host, ids)
    numbered, _ = await look_at(host, ids, first_rank=5)
    assert plain.shape == numbered.shape
    assert not np.array_equal(plain, numbered)


async def test_a_whole_page_of_a_hundred_fits(host: Host, demo: Ingested):
    ids = [image.image_id for image in demo.drawn.images]
    sheet, facts = await look_at(host, (ids * 20)[:100], max_px=2048)
    assert len(facts["images"]) == 100
    assert max(sheet.shape) <= 2048


async def test_window_and_region_apply_to_every_image_of_a_sheet(host: Host, demo: Ingested):
    ids = [image.image_id for image in demo.drawn.images[:2]]
    wide, _ = await look_at(host, ids, window_center=2048, window_width=8192)
    narrow, facts = await look_at(host, ids, window_center=2048, window_width=200, region=[0, 0, 0.5, 0.5])
    assert [image["grayscale"]["width"] for image in facts["images"]] == [200, 200]
    assert narrow.std() > wide.std()


async def test_a_list_of_unknown_ids_is_refused(host: Host, demo: Ingested):
    assert "The archive has no image gone" in await host.refused(
        "view_image", image_id=[demo.drawn.images[0].image_id, "gone"]
    )
