"""Finds images unlike the others: those whose nearest images in the reference sample are far away, by angle or length.

Vectors are whitened by the sample's covariance, so that a direction in which chest radiographs hardly differ counts as
much as one in which they do: an encoder may put another image near to them in the directions that it was trained for.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from mcp_cxr.research.data_check._result import CheckEntry, CheckList, cut

if TYPE_CHECKING:
    from collections.abc import Iterator

    from numpy.typing import NDArray

    from mcp_cxr.records import ReferenceSample, Vectors
    from mcp_cxr.research.data_check._facts import ArchiveFacts

    Floats = NDArray[np.float32]

_FEWEST = 50
"""Images from which on it can be said what most look like."""
_NEAREST_SHARE, _FEWEST_NEAREST = 0.01, 5
"""Images that are compared, of the sample: a group that is larger than this share hides its members from each other."""
_RIDGE = 0.003
"""Of the mean variance, added to each direction: a sample smaller than the dimension has none in some."""
_LEAST_VARIANCE = 1e-12
"""What counts as the mean variance at least: vectors may all be equal."""
_FENCE = 3.5
"""An outlier is further from the median than so many quartiles of its side; docs/check-data.md has figures."""
_ROWS = 2048  # images in one product with the sample: 32 MiB
_OF_HEADER = 1000.0
"""Added to the score of an image whose header names another body part: these come first."""


def list_outliers(facts: ArchiveFacts, vectors: Vectors, sample: ReferenceSample, *, most: int) -> CheckList:
    """Return the images that are unlike the others, and those whose header names another body part.

    Args:
        facts: Of the archive.
        vectors: float32, shape (images, dimension), in the order of `facts`; may be on disk.
        sample: The reference sample.
        most: Entries to return.
    """
    named = set(facts.other_part)
    if len(facts.image_ids) < _FEWEST:
        if not named:
            return CheckList("outliers", not_made=f"The archive has fewer than {_FEWEST} images: too few to compare.")
        entries = [_entry(facts, image, 0.0, is_named=True) for image in named]
        notes = (f"Fewer than {_FEWEST} images: only the body part in headers was compared.",)
        return CheckList("outliers", cut(entries, most), len(entries), notes=notes)
    far = _far(*map(np.concatenate, zip(*_nearness(facts, vectors, sample), strict=True)))
    entries = [
        _entry(facts, image, float(far[image]), is_named=image in named)
        for image in sorted({*np.flatnonzero(far > _FENCE).tolist(), *named})
    ]
    notes = ("The order depends on what the encoder was trained on: look at the images before you trust it.",)
    return CheckList("outliers", cut(entries, most), len(entries), notes=notes)


def _far(cosines: Floats, distances: Floats) -> Floats:
    """Return how many quartiles each image is from the median, by angle or by distance, whichever is more."""
    lower, middle = np.quantile(cosines, (0.25, 0.5))
    center, upper = np.quantile(distances, (0.5, 0.75))
    tiny = np.finfo(np.float32).tiny
    return np.maximum((middle - cosines) / max(middle - lower, tiny), (distances - center) / max(upper - center, tiny))


def _nearness(facts: ArchiveFacts, vectors: Vectors, sample: ReferenceSample) -> Iterator[tuple[Floats, Floats]]:
    """Yield, in blocks, the mean cosine and the logarithm of the distance of the nearest images of other patients."""
    mean = sample.vectors.mean(axis=0)
    whiten = _whitening(sample.vectors - mean)
    known = (sample.vectors - mean) @ whiten
    known_lengths = np.linalg.norm(known, axis=1)
    numbers = {image: number for number, image in enumerate(facts.image_ids)}
    subjects = facts.subject_of
    of_sample = np.array([subjects[numbers[one]] if one in numbers else -1 for one in sample.ids], np.int64)
    nearest = min(max(_FEWEST_NEAREST, int(_NEAREST_SHARE * len(known))), len(known))
    for first in range(0, len(vectors), _ROWS):
        rows = (np.asarray(vectors[first : first + _ROWS]) - mean) @ whiten
        lengths = np.linalg.norm(rows, axis=1, keepdims=True)
        cosines = (rows @ known.T) / np.maximum(lengths * known_lengths, np.finfo(np.float32).tiny)
        is_own = subjects[first : first + _ROWS, None] == of_sample
        squares = lengths**2 + known_lengths**2 - 2 * cosines * lengths * known_lengths
        cosines[is_own], squares[is_own] = -1, np.inf
        distances = np.sqrt(np.maximum(np.partition(squares, nearest - 1, axis=1)[:, :nearest], 0)).mean(axis=1)
        distances = np.log(np.clip(distances, np.finfo(np.float32).tiny, np.finfo(np.float32).max))
        yield np.partition(cosines, -nearest, axis=1)[:, -nearest:].mean(axis=1), distances


def _whitening(rows: Floats) -> Floats:
    """Return the matrix after which the rows vary alike in all directions."""
    covariance = (rows.T @ rows).astype(np.float64) / len(rows)
    covariance[np.diag_indices_from(covariance)] += _RIDGE * max(
        np.trace(covariance) / len(covariance), _LEAST_VARIANCE
    )
    return np.linalg.cholesky(np.linalg.inv(covariance)).astype(np.float32)


def _entry(facts: ArchiveFacts, image: int, far: float, *, is_named: bool) -> CheckEntry:
    said = [
        "Its header names a body part that is not the chest." if is_named else "",
        "It is less similar to its nearest images of other patients than nearly all other images are."
        if far > _FENCE
        else "",
    ]
    study = facts.study_of_image(image)
    return CheckEntry(
        key=f"outliers|{facts.image_ids[image]}",
        images=(facts.image_ids[image],),
        studies=(study.study_id,),
        subjects=(facts.subject_of_study(study),),
        reason=" ".join(filter(None, said)),
        score=round(far + (_OF_HEADER if is_named else 0), 3),
    )
