"""Made-up vectors in which labels are planted: each label moves an image along its own direction, more or less far."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from mcp_cxr.records import Fingerprint, ImageId, ImageRecord, Study, StudyId, SubjectId

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from mcp_cxr.records import Vectors
    from mcp_cxr.stores import Store

LABELS = ("Edema", "Pneumothorax", "Fracture")
_SHARES = (0.3, 0.12, 0.2)


@dataclass(frozen=True)
class Planted:
    """Images of patients, some with several."""

    vectors: Vectors
    """Shape (images, dimension), unit length."""
    truth: NDArray[np.int8]
    """Shape (images, labels): 1 with, 0 without."""
    subject_of: NDArray[np.int64]
    views: Sequence[str]

    def subject(self, row: int) -> SubjectId:
        return SubjectId(f"p{self.subject_of[row]:05d}")

    def image(self, row: int) -> ImageId:
        return ImageId(f"i{row:06d}")


def planted(
    images: int,
    *,
    labels: int = len(LABELS),
    dimension: int = 32,
    strength: float = 1.2,
    subjects: int = 0,
    seed: int = 5,
) -> Planted:
    """Return images with planted labels.

    Args:
        strength: Standard deviations by which a label moves an image, on average.
        subjects: Patients; 0: two images for each, on average.
    """
    rng = np.random.default_rng(seed)
    subject_of = np.sort(rng.integers(0, subjects or images // 2, images))
    shares = np.resize(_SHARES, labels)
    truth = (rng.random((images, labels)) < shares).astype(np.int8)
    spread = np.exp(-np.arange(dimension) / dimension)
    directions = rng.normal(size=(labels, dimension))
    directions *= strength / np.linalg.norm(directions / spread, axis=1, keepdims=True) * 2
    moved = (truth * rng.exponential(1, truth.shape)) @ directions
    vectors = 3 + rng.normal(size=(images, dimension)) * spread + moved
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    views = ["AP" if of else "PA" for of in rng.random(images) < 0.4]
    return Planted(vectors.astype(np.float32), truth, subject_of, views)


async def fill(
    store: Store, of: Planted, *, fingerprint: Fingerprint | None = None, unlabeled: int = 0, **study: object
) -> None:
    """Write planted images into an empty store, one study for each.

    Args:
        unlabeled: The last so many studies have no labels.
        study: Further fields of each study.
    """
    images, dimension = of.vectors.shape
    await store.create(fingerprint or Fingerprint("planted", dimension, "test"))
    labeled = images - unlabeled
    await store.put_studies(
        [
            Study(
                StudyId(f"s{row:06d}"),
                of.subject(row),
                labels=_labels(of, row) if row < labeled else {},
                **study,  # pyright: ignore[reportArgumentType]  # fields of a study
            )
            for row in range(images)
        ]
    )
    await store.put(
        [
            ImageRecord(
                of.image(row), StudyId(f"s{row:06d}"), of.subject(row), of.views[row], "none", f"{row}.png", "/x"
            )
            for row in range(images)
        ],
        of.vectors,
    )


def _labels(of: Planted, row: int) -> dict[str, int]:
    return dict(zip(LABELS, of.truth[row].tolist(), strict=False))
