"""Embeds images mirrored left to right: a vector alone does not tell what the mirror image's would be."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from mcp_cxr.errors import ImageError, NotFound, PathRefused
from mcp_cxr.images import mirrored
from mcp_cxr.records import Rejection

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Sequence

    from mcp_cxr.embeddings import Embedder
    from mcp_cxr.records import ImageId, Rendering, StoredImage, Vector, Vectors
    from mcp_cxr.stores import Store

    RenderStored = Callable[[StoredImage], Awaitable[Rendering]]
    """Renders a stored image as for its vector."""

_BATCH = 32
"""Images that are rendered before they are embedded."""


@dataclass(frozen=True, slots=True)
class MirroredVectors:
    """The vectors of mirror images."""

    image_ids: Sequence[ImageId]
    """The images, in the order asked for; those left out are missing."""
    vectors: Vectors
    """float32, shape (len(image_ids), dimension), unit length."""
    left_out: int
    """Images without a mirror image: the file is gone, was changed or cannot be read, or the embedder rejects it."""


async def mirrored_vectors(
    store: Store, ids: Sequence[ImageId], *, render: RenderStored, embedder: Embedder
) -> MirroredVectors:
    """Return the vector of each image's mirror image; as slow as an ingest of these images.

    Args:
        store: Holds the images.
        ids: Images to mirror.
        render: Renders a stored image.
        embedder: Of the archive's fingerprint; the caller has checked that.

    Raises:
        EmbeddingError: The embedder fails.
        StoreError: The store fails or was never made.
    """
    kept: list[ImageId] = []
    vectors: list[Vector] = []
    for first in range(0, len(ids), _BATCH):
        stored = await store.get(ids[first : first + _BATCH])
        renderings = {
            image_id: mirrored(rendering, embedder.image_spec)
            for image_id, one in stored.items()
            if (rendering := await _rendering(one, render)) is not None
        }
        if not renderings:
            continue
        embedded = await embedder.embed_images(list(renderings.values()))
        for image_id, vector in zip(renderings, embedded, strict=True):
            if not isinstance(vector, Rejection):
                kept.append(image_id)
                vectors.append(vector)
    return MirroredVectors(kept, np.stack(vectors) if vectors else np.empty((0, 0), np.float32), len(ids) - len(kept))


async def _rendering(stored: StoredImage, render: RenderStored) -> Rendering | None:
    try:
        return await render(stored)
    except (ImageError, NotFound, PathRefused):  # of this file alone: counted
        return None
