"""A selection as a file: ids, scores and paths as CSV, or renderings as ZIP."""

from __future__ import annotations

import asyncio
import io
import re
import zipfile
from itertools import chain, count
from typing import TYPE_CHECKING, Any

from mcp_cxr.csv_writer import csv_text

if TYPE_CHECKING:
    from collections.abc import Iterable

    from mcp_cxr.chat.session._servers import Backend

_COLUMNS = (
    *("rank", "image_id", "study_id", "subject_id", "view_position"),
    *("similarity_score", "similarity_z", "percentile", "path"),
)
_LONGEST_PX = 2048
_AT_ONCE = 2
_NOT_IN_NAMES = re.compile(r"[^0-9A-Za-z.-]+")
_MAX_NAME = 64  # characters of an id in a file's name


def to_csv(hits: Iterable[dict[str, Any]]) -> bytes:
    """Return a CSV row for each hit, in the order of selection; without reports and labels."""
    return csv_text(_COLUMNS, ([hit[name] for name in _COLUMNS] for hit in hits)).encode()


async def to_zip(backend: Backend, hits: Iterable[dict[str, Any]]) -> bytes:
    """Return a ZIP with a rendering of each hit, at most 2,048 pixels a side, named by its rank and image id.

    Raises:
        CxrError: An image cannot be read, or the server has ended.
    """
    semaphore = asyncio.Semaphore(_AT_ONCE)

    async def read_image(hit: dict[str, Any]) -> tuple[bytes, str]:
        async with semaphore:
            return await backend.rendering(hit["image_id"], _LONGEST_PX)

    selected = list(hits)
    images = await asyncio.gather(*map(read_image, selected))
    packed, names = io.BytesIO(), set[str]()
    with zipfile.ZipFile(packed, "w", zipfile.ZIP_STORED) as archive:  # the renderings are compressed already
        for hit, (content, kind) in zip(selected, images, strict=True):
            ending = kind.removeprefix("image/").replace("jpeg", "jpg")
            archive.writestr(_entry_name(hit["rank"], hit["image_id"], ending, names), content)
    return packed.getvalue()


def _entry_name(rank: int, image_id: str, ending: str, taken: set[str]) -> str:
    """Return a file name that no other entry has: `003_02aa804e-bde0afdd.jpg`; kept ids come from file headers."""
    cleaned = _NOT_IN_NAMES.sub("_", image_id).strip("._")[:_MAX_NAME].rstrip("._")
    stem = f"{rank:03}_{cleaned or 'image'}"
    numbered = (f"{stem}{number}.{ending}" for number in chain([""], (f"_{again}" for again in count(2))))
    name = next(name for name in numbered if name.lower() not in taken)
    taken.add(name.lower())
    return name
