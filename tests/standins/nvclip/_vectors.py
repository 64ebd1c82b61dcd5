"""Vectors without a model: the same input always gives the same one."""

from __future__ import annotations

import hashlib
import io
from typing import TYPE_CHECKING

import numpy as np
from PIL import Image

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from tests.standins.nvclip._state import State

_BLOCKS = 16


def digest(item: bytes) -> str:
    return hashlib.sha256(item).hexdigest()


def vector(item: bytes, *, is_image: bool, state: State) -> NDArray[np.float32]:
    """Return the unit vector of one input, its decoded JPEG or its text."""
    if state.vectors == "blind" and is_image:
        item = item[:200]  # the tables at the head of a JPEG, which are the same in many
    if state.image_size and is_image:
        return _seen(item, state.image_size, state.dimension)
    own = _drawn(item, state.dimension)
    if state.vectors != "labels":
        return own
    words = item.decode("latin-1").casefold()
    known = {label for labels in state.labels.values() for label in labels}
    labels = state.labels.get(digest(item), []) if is_image else [name for name in known if name.casefold() in words]
    meant = sum((_drawn(label.encode(), state.dimension) for label in labels), np.zeros(state.dimension, np.float32))
    mixed = meant + state.noise * own
    return (mixed / np.linalg.norm(mixed)).astype(np.float32)


def spoiled(vectors: NDArray[np.float32], kind: str) -> NDArray[np.float32]:
    """Return the vectors as a broken service would send them."""
    vectors = vectors.copy()
    match kind:
        case "nan":
            vectors[-1, 0] = np.nan
        case "infinite":
            vectors[-1, 0] = np.inf
        case "zero":
            vectors[-1] = 0
        case "constant":
            vectors[:] = vectors[0]
        case "long":
            vectors *= 3
        case "dimension":
            vectors = vectors[:, :512] / np.linalg.norm(vectors[:, :512], axis=1, keepdims=True)
        case "count":
            vectors = vectors[:-1]
        case _:
            pass
    return vectors


def _seen(file: bytes, size: int, dimension: int) -> NDArray[np.float32]:
    """Return brightness and contrast of 16 x 16 blocks of an image, at the size that a model of this size reads."""
    gray = Image.open(io.BytesIO(file)).convert("L").resize((size, size), Image.Resampling.BICUBIC)
    side = size // _BLOCKS
    grays = np.asarray(gray, np.float32)[: side * _BLOCKS, : side * _BLOCKS]
    blocks = grays.reshape(_BLOCKS, side, _BLOCKS, side)
    parts = [(blocks.mean(axis=(1, 3)) - grays.mean()).ravel(), blocks.std(axis=(1, 3)).ravel()]
    vector = np.concatenate([*parts, np.zeros(dimension - 2 * _BLOCKS**2)])
    return (vector / np.linalg.norm(vector)).astype(np.float32)


def _drawn(seed: bytes, dimension: int) -> NDArray[np.float32]:
    drawn = np.random.default_rng(int(digest(seed)[:16], 16)).standard_normal(dimension, dtype=np.float32)
    return (drawn / np.linalg.norm(drawn)).astype(np.float32)
