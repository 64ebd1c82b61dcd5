"""Reads the vectors of a store once, page by page, into an array on disk.

A page of the store also has reports and headers, so the vectors are copied to an unnamed temporary file, which vanishes
with the process. Memory does not grow with the archive, apart from the ids.
"""

from __future__ import annotations

import tempfile
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from anyio import to_thread

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Sequence

    from mcp_cxr.records import ImageId, StoredImage, Vector, Vectors
    from mcp_cxr.stores import Store

_PAGE = 1000


@dataclass(frozen=True, slots=True)
class ArchiveVectors:
    """The vectors of images."""

    image_ids: Sequence[ImageId]
    vectors: Vectors
    """float32, shape (len(image_ids), dimension), unit length; on disk. Read it in blocks of rows."""


async def read_vectors(
    store: Store, keep: Callable[[StoredImage], bool] | None = None, *, ids: Sequence[ImageId] | None = None
) -> ArchiveVectors:
    """Return the vectors of all images that can be ranked.

    Args:
        store: The archive.
        keep: Called with each of these images, by id, with its vector: collect the facts that you need. Returns
            whether the vector is kept; None keeps all.
        ids: Only these images, in this order; None: the whole archive, by id.

    Raises:
        StoreError: The store fails or was never made.
    """
    read: list[ImageId] = []
    with tempfile.TemporaryFile() as file:

        def add(page: Sequence[StoredImage]) -> None:
            for stored in page:
                if (vector := _usable(stored)) is not None and (keep is None or keep(stored)):
                    read.append(stored.image.image_id)
                    file.write(vector.tobytes())

        async for page in _pages(store, ids):
            await to_thread.run_sync(add, page)
        file.flush()
        empty = np.empty((0, 0), np.float32)
        return ArchiveVectors(read, np.memmap(file, np.float32, "r").reshape(len(read), -1) if read else empty)


async def _pages(store: Store, ids: Sequence[ImageId] | None) -> AsyncIterator[list[StoredImage]]:
    if ids is not None:
        for first in range(0, len(ids), _PAGE):
            yield list((await store.get(ids[first : first + _PAGE], with_vectors=True)).values())
        return
    after = None
    while page := await store.images_after(after, limit=_PAGE):
        after = page[-1].image.image_id
        yield page


async def archive_mean(store: Store) -> Vector | None:
    """Return the mean of the archive's reference sample, from which cosines are measured; None without images.

    Raises:
        StoreError: The store fails or was never made.
    """
    sample = await store.reference_sample()
    return sample.mean if sample.ids else None


def _usable(stored: StoredImage) -> Vector | None:
    """Return a vector that can be ranked, else None: external, missing, zero, or not finite."""
    vector = stored.vector
    if stored.external or vector is None or not (np.isfinite(vector).all() and vector.any()):
        return None
    return vector
