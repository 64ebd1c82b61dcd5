"""A selection as files: ids and scores, or pictures."""

from __future__ import annotations

import asyncio
import csv
import io
import zipfile
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from mcp_cxr.chat._backend import Desk

_COLUMNS = (
    *("rank", "image_id", "study_id", "subject_id", "view_position"),
    *("similarity_score", "similarity_z", "percentile"),
)
_LONGEST_PX = 2048
_AT_ONCE = 2
_FORMULA = ("=", "+", "-", "@", "\t")


def to_csv(hits: Iterable[dict[str, Any]]) -> bytes:
    """Return a line for each hit, in the order they were picked; no report, no label."""
    text = io.StringIO(newline="")
    writer = csv.writer(text)
    writer.writerow(_COLUMNS)
    writer.writerows([_cell(hit[name]) for name in _COLUMNS] for hit in hits)
    return text.getvalue().encode()


async def zipped(desk: Desk, image_ids: Iterable[str], tell: Callable[[int], None]) -> bytes:
    """Return a ZIP with a picture of each film, at most 2,048 pixels a side, named by image id.

    Args:
        desk: Where they are had from.
        image_ids: Which.
        tell: Is told how many are there.

    Raises:
        CxrError: One cannot be shown, or the server has ended.
    """
    gate, done = asyncio.Semaphore(_AT_ONCE), 0

    async def look(image_id: str) -> tuple[str, bytes]:
        nonlocal done
        async with gate:
            content, kind = await desk.look(image_id, _LONGEST_PX)
        done += 1
        tell(done)
        return f"{image_id}.{kind.removeprefix('image/').replace('jpeg', 'jpg')}", content

    pictures = await asyncio.gather(*map(look, image_ids))
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w", zipfile.ZIP_STORED) as archive:  # pictures are packed already
        for name, content in pictures:
            archive.writestr(name, content)
    return packed.getvalue()


def _cell(value: Any) -> Any:  # noqa: ANN401 - a hit's
    """Return a value that no spreadsheet takes for a formula: ids may be the header's own."""
    return f"'{value}" if isinstance(value, str) and value.startswith(_FORMULA) else value
