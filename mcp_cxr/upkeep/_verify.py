"""Finds what is wrong in a collection."""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from anyio import to_thread

from mcp_cxr.records import Verification

if TYPE_CHECKING:
    from mcp_cxr.records import Stored
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
    content = vector.tobytes()
    if content in seen:
        return ["duplicate vector"]
    seen.add(content)
    return []


async def _file_problems(store: Store, images: list[Stored]) -> list[str]:
    paths = [str(Path(stored.image.root) / stored.image.image_path) for stored in images]
    outcomes = await store.outcomes(paths)

    def look() -> list[str]:
        problems: list[str] = []
        for path in paths:
            try:
                status = Path(path).stat()
            except OSError:
                problems.append("file gone")
                continue
            before = outcomes.get(path)
            if before and (before.size, before.mtime_ns) != (status.st_size, status.st_mtime_ns):
                problems.append("file changed")
        return problems

    return await to_thread.run_sync(look)
