"""An embedder small enough to reason about: vectors show where an image is bright, and words name such places."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from mcp_cxr.errors import EmbeddingUnavailable
from mcp_cxr.records import Fingerprint, ImageSpec, Rejection

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Container, Sequence
    from types import TracebackType
    from typing import Self

    from mcp_cxr.records import Rendering, Vector, Vectors

ROWS, COLUMNS = 4, 8
DIMENSION = ROWS * COLUMNS
OUTAGE = "Cannot reach http://localhost:1/v1 (refused)."

_down, _across = np.mgrid[0:ROWS, 0:COLUMNS]
_PATTERNS = {
    "left": np.where(_across < COLUMNS // 2, 1, -1),
    "right": np.where(_across < COLUMNS // 2, -1, 1),
    "upper": np.where(_down < ROWS // 2, 1, -1),
    "lower": np.where(_down < ROWS // 2, -1, 1),
    "effusion": np.where(_down == ROWS - 1, 3, -1),
}


class ToyEmbedder:
    """An `Embedder` with 32 dimensions: the mean gray values of 4 x 8 cells, less their mean.

    A text is the sum of the patterns of the words it knows; any other text is bright in the first cell.

    Args:
        preprocessing: Part of the fingerprint; vectors of another one are not comparable.
        down: Whether every call fails as if the service were unreachable.
        rejected: Which renderings get no vector, counted from 1 over all batches.
        before_images: Called before each batch of renderings with its number, from 1; may fail, wait or cancel.
    """

    name = "toy-32"
    image_spec = ImageSpec(size=32, mode="L")
    batch_size = None
    embeds_text = True
    max_text_words = 45
    near_duplicate_cosine = 0.999

    def __init__(
        self,
        *,
        preprocessing: str = "test",
        down: bool = False,
        rejected: Container[int] = (),
        before_images: Callable[[int], Awaitable[None]] | None = None,
    ) -> None:
        self.down = down
        self.rejected = rejected
        self.before_images = before_images
        self.batches: list[int] = []
        self.texts: list[str] = []
        self._fingerprint = Fingerprint(self.name, DIMENSION, preprocessing)

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        return None

    async def fingerprint(self) -> Fingerprint:
        self._reach()
        return self._fingerprint

    async def embed_images(self, pictures: Sequence[Rendering]) -> list[Vector | Rejection]:
        self._reach()
        self.batches.append(len(pictures))
        if self.before_images:
            await self.before_images(len(self.batches))
        first = sum(self.batches) - len(pictures) + 1
        return [
            Rejection("too dark") if number in self.rejected else _seen(rendering)
            for number, rendering in enumerate(pictures, start=first)
        ]

    async def embed_texts(self, texts: Sequence[str]) -> Vectors:
        self._reach()
        self.texts += texts
        return np.stack([_read(text) for text in texts])

    def _reach(self) -> None:
        if self.down:
            raise EmbeddingUnavailable(OUTAGE)


def _seen(rendering: Rendering) -> Vector | Rejection:
    side = rendering.pixels.shape[0]
    cells = rendering.pixels.reshape(ROWS, side // ROWS, COLUMNS, side // COLUMNS).mean(axis=(1, 3))
    if cells.min() == cells.max():
        return Rejection("blank image")
    return _unit(cells - cells.mean())


def _read(text: str) -> Vector:
    known = [_PATTERNS[word] for word in text.lower().split() if word in _PATTERNS]
    pattern = np.sum(known, axis=0) if known else (_down + _across == 0) - 1 / DIMENSION
    return _unit(pattern)


def _unit(cells: np.ndarray) -> Vector:
    flat = np.asarray(cells, dtype=np.float64).ravel()
    return (flat / np.linalg.norm(flat)).astype(np.float32)
