"""Checks what the vectors of every embedder must be."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Hashable, Sequence

    from mcp_cxr.records import Vectors

_NORM_TOLERANCE = 0.02
SAME_COSINE = 0.9999  # a disc and bars are far below it in every CLIP


class BadReply(Exception):
    """The reply is not what was requested; the message is a noun phrase that quotes nothing from the reply."""


def validated(vectors: Vectors, keys: Sequence[Hashable], *, dimension: int | None) -> Vectors:
    """Return the vectors scaled to a length of exactly 1.

    Args:
        vectors: Of a reply.
        keys: One for each input; inputs with different keys cannot share a vector.
        dimension: None: not known yet.

    Raises:
        BadReply: They cannot be the vectors of these inputs.
    """
    if len(vectors) != len(keys):
        raise BadReply(f"{len(vectors)} vectors for {len(keys)} inputs")
    if vectors.ndim != 2 or not vectors.shape[1] or (dimension is not None and vectors.shape[1] != dimension):  # noqa: PLR2004 # rows of numbers
        expected = f"({dimension},)" if dimension else "one dimension"
        raise BadReply(f"vectors of shape {vectors.shape[1:]}; expected {expected}")
    if not np.isfinite(vectors).all():
        raise BadReply("numbers that are not finite")
    with np.errstate(over="ignore"):
        norms = np.linalg.norm(vectors, axis=1, keepdims=True)
    if (np.abs(norms - 1) > _NORM_TOLERANCE).any():
        raise BadReply("vectors that are zero or not of unit length")
    if len(set(keys)) > 1 and (vectors == vectors[0]).all():
        raise BadReply("the same vector for different inputs")
    return vectors / norms


def check_distinct(images: Vectors, texts: Vectors) -> None:
    """Compare the vectors of the self-check's images and texts.

    Raises:
        BadReply: They differ in dimension, or hardly differ at all.
    """
    if images.shape != texts.shape:
        raise BadReply(f"{images.shape[1]} dimensions for an image and {texts.shape[1]} for a text")
    together = np.vstack([images, texts])
    cosines = together @ together.T
    if (cosines[np.triu_indices(len(together), k=1)] > SAME_COSINE).any():
        raise BadReply("the same vector for different inputs")
