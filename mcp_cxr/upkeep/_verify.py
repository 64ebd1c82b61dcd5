"""Finds what is wrong in a collection."""

from __future__ import annotations

from collections import Counter
from hashlib import blake2b
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from anyio import to_thread

from mcp_cxr.records import Verification

if TYPE_CHECKING:
    from mcp_cxr.records import ImageId, Outcome, Stored
    from mcp_cxr.stores import Store

_PAGE = 1000
PROBLEMS = ("zero", "not finite", "duplicate vector", "file changed", "file gone", "foreign")


async def verify(store: Store) -> Verification:
    """Walk the whole collection: its vectors, and the files they came from.

    A duplicate vector is one that an image before it has too, to the bit: the same picture under another id.
    Foreign rows are counted as such and not looked at further.
    """
    problems: Counter[str] = Counter()
    seen: set[bytes] = set()
    images, after = 0, None
    while page := await store.page(after, limit=_PAGE):
        images, after = images + len(page), page[-1].image.image_id
        ours = [stored for stored in page if not stored.foreign]
        problems["foreign"] += len(page) - len(ours)
        for stored in ours:
            problems.update(_vector_problems(stored, seen))
        problems.update(await _file_problems(store, ours))
    return Verification(images, {name: problems[name] for name in PROBLEMS})


def _vector_problems(stored: Stored, seen: set[bytes]) -> list[str]:
    vector = stored.vector
    if vector is None or not vector.any():
        return ["zero"]
    if not np.isfinite(vector).all():
        return ["not finite"]
    content = blake2b(vector.tobytes(), digest_size=16).digest()
    if content in seen:
        return ["duplicate vector"]
    seen.add(content)
    return []


async def _file_problems(store: Store, images: list[Stored]) -> list[str]:
    places = {stored.image.image_id: str(Path(stored.image.root) / stored.image.image_path) for stored in images}
    outcomes = await store.outcomes(places.values())

    def look() -> list[str]:
        found = (_file_problem(image_id, place, outcomes.get(place)) for image_id, place in places.items())
        return [problem for problem in found if problem]

    return await to_thread.run_sync(look)


def _file_problem(image_id: ImageId, place: str, met: Outcome | None) -> str | None:
    """Tell whether the file is still the one that became this image; by now it may have become another one, or none."""
    try:
        status = Path(place).stat()
    except OSError:
        return "file gone"
    now = (image_id, status.st_size, status.st_mtime_ns)
    return "file changed" if met and (met.image_id, met.size, met.mtime_ns) != now else None
