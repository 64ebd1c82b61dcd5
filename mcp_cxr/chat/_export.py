"""A selection as a file: ids and scores as CSV, or renderings as ZIP."""

from __future__ import annotations

import asyncio
import csv
import io
import zipfile
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterable

    from mcp_cxr.chat._servers import Backend

_COLUMNS = (
    *("rank", "image_id", "study_id", "subject_id", "view_position"),
    *("similarity_score", "similarity_z", "percentile"),
)
_LONGEST_PX = 2048
_AT_ONCE = 2
_FORMULA = ("=", "+", "-", "@", "\t")


def to_csv(hits: Iterable[dict[str, Any]]) -> bytes:
    """Return a CSV row for each hit, in the order of selection; without reports and labels."""
    text = io.StringIO(newline="")
    writer = csv.writer(text)
    writer.writerow(_COLUMNS)
    writer.writerows([_cell(hit[name]) for name in _COLUMNS] for hit in hits)
    return text.getvalue().encode()


async def to_zip(backend: Backend, image_ids: Iterable[str]) -> bytes:
    """Return a ZIP with a rendering of each image, at most 2,048 pixels a side, named by image id.

    Raises:
        CxrError: An image cannot be read, or the server has ended.
    """
    semaphore = asyncio.Semaphore(_AT_ONCE)

    async def read_image(image_id: str) -> tuple[str, bytes]:
        async with semaphore:
            content, kind = await backend.rendering(image_id, _LONGEST_PX)
        return f"{image_id}.{kind.removeprefix('image/').replace('jpeg', 'jpg')}", content

    images = await asyncio.gather(*map(read_image, image_ids))
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w", zipfile.ZIP_STORED) as archive:  # the renderings are compressed already
        for name, content in images:
            archive.writestr(name, content)
    return packed.getvalue()


def _cell(value: Any) -> Any:  # noqa: ANN401 - a hit's
    """Return a value that no spreadsheet takes for a formula: kept ids come from file headers."""
    return f"'{value}" if isinstance(value, str) and value.startswith(_FORMULA) else value
