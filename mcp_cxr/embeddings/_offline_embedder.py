"""The embedder `offline`, for trials: a sketch of the pixels, without network or weights.

Its vectors are downsampled pixels, edge directions and gray levels: similar by exposure and geometry, never by
findings.
"""

from __future__ import annotations

from contextlib import AbstractAsyncContextManager
from typing import TYPE_CHECKING

import numpy as np

from mcp_cxr.errors import EmbeddingRejected
from mcp_cxr.records import Fingerprint, ImageSpec, Rejection

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from mcp_cxr.records import Rendering, Vector, Vectors

_SIZE = 64
_LAYOUT = 16  # the rendering as 16 x 16 mean gray values: where it is bright
_CELLS, _ANGLES = 8, 6  # edges in 8 x 8 cells by 6 directions: where contours run (after Dalal and Triggs, CVPR 2005)
_LEVELS = 32  # how often each gray value occurs: exposure
_DIMENSION = _LAYOUT**2 + _CELLS**2 * _ANGLES + _LEVELS


class OfflineEmbedder(AbstractAsyncContextManager["OfflineEmbedder"]):
    """An `Embedder` without a service; it embeds no text.

    Args:
        preprocessing: Version of the preprocessing from file to rendering; part of the fingerprint.
    """

    name: str = "offline-sketch-1"
    image_spec: ImageSpec = ImageSpec(size=_SIZE, mode="L")
    batch_size: int | None = None
    embeds_text: bool = False
    max_text_words: int = 0
    near_duplicate_cosine: float = 0.982
    """Re-encoded or reduced radiographs stay at 0.982 or more; other people's reach 0.62, drawn phantoms 0.981."""

    def __init__(self, *, preprocessing: str) -> None:
        self._fingerprint = Fingerprint(self.name, _DIMENSION, preprocessing)

    async def __aexit__(self, *_: object) -> None:
        """Keep nothing open."""

    async def fingerprint(self) -> Fingerprint:
        """Return the fingerprint."""
        return self._fingerprint

    async def embed_images(self, renderings: Sequence[Rendering]) -> list[Vector | Rejection]:
        """Return the sketch of each rendering."""
        return [_sketch(rendering.pixels) for rendering in renderings]

    async def embed_texts(self, texts: Sequence[str]) -> Vectors:
        """Refuse: only pixels can be sketched."""
        raise EmbeddingRejected(
            "The offline embedder cannot embed text; set MCP_CXR_EMBEDDER=nvclip to search by meaning."
        )


def _sketch(pixels: NDArray[np.uint8]) -> Vector | Rejection:
    """Return layout, contours and exposure, each of unit length, as one unit vector."""
    gray = pixels.astype(np.float32)
    gray /= 255
    if gray.min() == gray.max():
        return Rejection("blank image")
    parts = (_layout(gray), _contours(gray), 0.5 * _exposure(gray))
    vector = np.concatenate(parts).astype(np.float32)
    vector /= np.linalg.norm(vector)
    return vector


def _layout(gray: NDArray[np.float32]) -> NDArray[np.float32]:
    means = _blocks(gray, _LAYOUT).mean(axis=(1, 3)).ravel()
    return _unit(means - means.mean())


def _contours(gray: NDArray[np.float32]) -> NDArray[np.float32]:
    """Return edge strength by cell and direction; opposite directions count as one."""
    down, right = np.gradient(gray)
    direction = (np.arctan2(down, right) % np.pi) * (_ANGLES / np.pi)
    bins = direction.astype(np.intp) % _ANGLES
    strength = np.hypot(down, right)
    by_angle = [_blocks(np.where(bins == angle, strength, 0), _CELLS).sum(axis=(1, 3)) for angle in range(_ANGLES)]
    return _unit(np.sqrt(np.stack(by_angle)).ravel())  # the root keeps a bright device from drowning the rest


def _exposure(gray: NDArray[np.float32]) -> NDArray[np.float32]:
    counts = np.histogram(gray, bins=_LEVELS, range=(0, 1))[0].astype(np.float32)
    return _unit(np.sqrt(counts))


def _blocks(gray: NDArray[np.float32], count: int) -> NDArray[np.float32]:
    """View as (count, rows, count, columns)."""
    side = gray.shape[0] // count
    return gray.reshape(count, side, count, side)


def _unit(values: NDArray[np.float32]) -> NDArray[np.float32]:
    length = float(np.linalg.norm(values))
    return values / length if length else values
