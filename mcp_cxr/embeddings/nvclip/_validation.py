"""Validates the vectors of a reply; holds the inputs of the self-check."""

from __future__ import annotations

import unicodedata
from functools import cache
from importlib.resources import files
from typing import TYPE_CHECKING

import numpy as np

from mcp_cxr.embeddings.nvclip._dialects import BadReply

if TYPE_CHECKING:
    from collections.abc import Hashable, Sequence

    from mcp_cxr.records import Vectors

SELF_CHECK_TEXTS = ("a chest radiograph with a large pleural effusion", "a bicycle leaning on a red wall")
_NORM_TOLERANCE = 0.02
_SAME_COSINE = 0.9999  # a disc and bars are far below it in every CLIP
_MAX_WORDS = 45  # of 77 tokens: a medical word takes more than one


def likely_truncated(text: str) -> bool:
    """Return whether a CLIP text encoder (77 tokens) probably reads only the beginning of `text`, without an error."""
    return len(text.split()) > _MAX_WORDS


@cache
def self_check_images() -> tuple[bytes, ...]:
    """Return two drawings as JPEG.

    Their first 623 bytes are equal: a service that reads the data URI as text, cut at 77 tokens, returns one vector
    for both, which the self-check detects.
    """
    folder = files("mcp_cxr.embeddings.nvclip") / "self_check"
    return tuple((folder / name).read_bytes() for name in ("disc.jpg", "bars.jpg"))


def text_key(text: str) -> Hashable:
    """Return what an uncased, truncating tokenizer keeps of `text`: texts with equal keys may have equal vectors."""
    folded = unicodedata.normalize("NFKD", text.casefold())
    plain = "".join(char for char in folded if char.isascii() and not unicodedata.combining(char))
    return " ".join(plain.split()[:_MAX_WORDS])


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
    if (cosines[np.triu_indices(len(together), k=1)] > _SAME_COSINE).any():
        raise BadReply("the same vector for different inputs")
