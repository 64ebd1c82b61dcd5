"""Inputs that every encoder embeds when it is first loaded, and their vectors as text."""

from __future__ import annotations

import base64
from typing import TYPE_CHECKING, Final

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from mcp_cxr.records import Vectors

CANNED_TEXTS: Final = ("left pleural effusion", "normal heart size")
LONG_TEXT: Final = (
    "the lungs are clear and there is no pleural effusion or pneumothorax and the heart is normal in size"
)
"""Pads another text of its batch, which must not change that one's vector."""
MAX_DIMENSION: Final = 2560
"""Above it the canned vectors are more text than IRIS keeps in one entry; no dual encoder is known to have more."""


def canned_images(size: int) -> list[NDArray[np.uint8]]:
    """Return a disc and bars on a gradient, each uint8 of shape (size, size)."""
    down, across = np.mgrid[0:size, 0:size].astype(np.float32) / size
    gradient = 40 + 80 * down
    disc = np.where((down - 0.4) ** 2 + (across - 0.55) ** 2 < 0.06, 225, gradient)  # noqa: PLR2004  # its radius, squared
    bars = np.where((across * 8) % 1 < 0.4, 200, gradient)  # noqa: PLR2004  # their width
    return [each.astype(np.uint8) for each in (disc, bars)]


def encode_vectors(vectors: Vectors) -> str:
    """Return unit vectors as base64 of float16, which moves a cosine by less than 1e-6."""
    return base64.b64encode(vectors.astype("<f2").tobytes()).decode()
