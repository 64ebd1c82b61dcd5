"""Where in the embedder's space a question points: words, examples, and what it should not be like, as one vector."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from mcp_cxr.errors import QueryError
from mcp_cxr.records import LABELS

if TYPE_CHECKING:
    from collections.abc import Sequence

    from mcp_cxr.records import Vector, Vectors

# Rocchio, with the weights of Manning et al., Introduction to Information Retrieval, 9.1.1.
_TEXT, _LIKE, _UNLIKE = 1.0, 0.75, 0.15
_AVOIDED = 0.5  # of what the words deny; measured by tests/bench/bench_answers.py

_NOTHING = 1e-6  # what float32 leaves of the difference of equal vectors

TYPICAL_TEXTS = tuple(f"chest x-ray, {label.lower()}" for label in LABELS)
"""Texts whose mean is where texts about chest films lie."""


@dataclass(frozen=True, slots=True)
class VectorParts:
    """What a question says in vectors, each of unit length."""

    text: Vector | None = None
    avoided: Sequence[Vector] = ()
    """Texts of what it denies."""
    like: Sequence[Vector] = ()
    unlike: Sequence[Vector] = ()

    def __bool__(self) -> bool:
        """Whether there is anything to compare with."""
        return self.text is not None or bool(len(self.avoided) + len(self.like) + len(self.unlike))

    @property
    def has_examples(self) -> bool:
        """Whether it says anything by images."""
        return bool(len(self.like) + len(self.unlike))

    @property
    def only_unlike(self) -> bool:
        """Whether there is something to steer away from, and nothing to steer."""
        return bool(self.unlike) and self.text is None and not (self.avoided or self.like)

    @property
    def plain(self) -> Vector | None:
        """The vector of a question of one kind: its words, or the mean of its examples; None of a mix or of nothing."""
        kinds = (self.text is not None) + bool(self.like)
        if kinds != 1 or self.avoided or self.unlike:
            return None
        return self.text if self.text is not None else unit_length(np.mean(self.like, axis=0))


def combined(parts: VectorParts, images: Vector, texts: Vector | None) -> Vector:
    """Return one vector of unit length for a mixed question.

    A model of the CLIP family puts texts and images into two cones apart (Liang et al., Mind the Gap, NeurIPS 2022):
    text and examples can be added only once each is measured from the middle of its own kind.

    Args:
        parts: The question.
        images: The mean of images.
        texts: The mean of texts; needed where the parts hold one.
    """
    total = np.zeros_like(images)
    for weight, vectors, mean in (
        (_TEXT, [parts.text] if parts.text is not None else [], texts),
        (-_AVOIDED, parts.avoided, texts),
        (_LIKE, parts.like, images),
        (-_UNLIKE, parts.unlike, images),
    ):
        if len(vectors) and mean is not None:
            total += weight * np.mean(centered(np.stack(vectors), mean), axis=0)
    return unit_length(total)


def centered(vectors: Vectors, mean: Vector) -> Vectors:
    """Return each row as seen from `mean`, at unit length; a row that is the mean stays zero."""
    rows = vectors - mean
    lengths = np.linalg.norm(rows, axis=1, keepdims=True)
    return np.divide(rows, lengths, out=np.zeros_like(rows), where=lengths > _NOTHING)


def unit_length(vector: Vector) -> Vector:
    """Return the vector at unit length.

    Raises:
        QuestionError: It has none.
    """
    length = np.linalg.norm(vector)
    if not length > _NOTHING:
        raise QueryError("These examples cancel each other out: name fewer of them.")
    return (vector / length).astype(np.float32)
