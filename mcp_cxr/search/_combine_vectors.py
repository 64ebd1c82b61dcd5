"""Combines the vectors of text and of positive and negative examples into one query vector (Rocchio)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from mcp_cxr.errors import QueryError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from mcp_cxr.records import Vector, Vectors

# Rocchio, with the weights of Manning et al., Introduction to Information Retrieval, 9.1.1.
_TEXT, _LIKE, _UNLIKE = 1.0, 0.75, 0.15
_RULED_OUT = 0.5  # of what the words rule out; measured by tests/bench/bench_answers.py

_ZERO = 1e-6  # what float32 leaves of the difference of equal vectors


@dataclass(frozen=True, slots=True)
class QueryVectors:
    """The vectors of a query's words and examples, each of unit length."""

    text: Vector | None = None
    ruled_out: Sequence[Vector] = ()
    """Of the findings and words that the query rules out."""
    like: Sequence[Vector] = ()
    unlike: Sequence[Vector] = ()

    def __bool__(self) -> bool:
        """Whether there is any vector."""
        return self.text is not None or bool(self.ruled_out) or self.has_examples

    @property
    def has_examples(self) -> bool:
        """Whether any vector is that of an image."""
        return bool(self.like or self.unlike)

    @property
    def only_unlike(self) -> bool:
        """Whether `unlike` is all there is."""
        return bool(self.unlike) and self.text is None and not (self.ruled_out or self.like)

    @property
    def single_kind_vector(self) -> Vector | None:
        """The query vector if only words or only `like` are given: the text's, or the examples' mean; else None."""
        kinds = (self.text is not None) + bool(self.like)
        if kinds != 1 or self.ruled_out or self.unlike:
            return None
        return self.text if self.text is not None else unit_length(np.mean(self.like, axis=0))


def combine_rocchio(vectors: QueryVectors, images: Vector, texts: Vector | None) -> Vector:
    """Return one query vector of unit length for words and examples together.

    A model of the CLIP family puts texts and images into two separate cones (Liang et al., Mind the Gap, NeurIPS 2022):
    text and examples can be added only after the mean of its own kind is subtracted from each.

    Args:
        vectors: Of the query.
        images: The mean of images.
        texts: The mean of texts; required if the query has text.
    """
    total = np.zeros_like(images)
    for weight, part, mean in (
        (_TEXT, [vectors.text] if vectors.text is not None else [], texts),
        (-_RULED_OUT, vectors.ruled_out, texts),
        (_LIKE, vectors.like, images),
        (-_UNLIKE, vectors.unlike, images),
    ):
        if part and mean is not None:
            total += weight * np.mean(centered(np.stack(part), mean), axis=0)
    return unit_length(total)


def centered(vectors: Vectors, mean: Vector) -> Vectors:
    """Return each row less `mean`, at unit length; a row equal to the mean becomes zero."""
    rows = vectors - mean
    lengths = np.linalg.norm(rows, axis=1, keepdims=True)
    return np.divide(rows, lengths, out=np.zeros_like(rows), where=lengths > _ZERO)


def unit_length(vector: Vector) -> Vector:
    """Return the vector at unit length.

    Raises:
        QueryError: Its length is zero.
    """
    length = np.linalg.norm(vector)
    if not length > _ZERO:
        raise QueryError("The examples in like and unlike cancel each other out; use fewer examples.")
    return (vector / length).astype(np.float32)
