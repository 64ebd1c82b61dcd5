"""Small records and vectors, and a plain BM25 to compare with."""

from __future__ import annotations

import math
from collections import Counter
from typing import TYPE_CHECKING, Any

import numpy as np

from mcp_cxr.records import Fingerprint, ImageId, ImageRecord, Outcome, StudyId, SubjectId

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from mcp_cxr.records import RankedImage, Vector, Vectors

DIMENSION = 8
FINGERPRINT = Fingerprint("sketch", DIMENSION, "prep-1", service="1.0", dialect="nim")


def image(image_id: str, study_id: str = "s1", subject_id: str = "p1", **other: Any) -> ImageRecord:
    facts: dict[str, Any] = {
        "view_position": "PA",
        "view_source": "ViewPosition",
        "image_path": f"files/{image_id}.dcm",
        "root": "/archive",
    }
    return ImageRecord(ImageId(image_id), StudyId(study_id), SubjectId(subject_id), **{**facts, **other})


def outcome(path: str, image_id: str | None = None, reason: str | None = None, size: int = 10) -> Outcome:
    return Outcome(path, size, 1_700_000_000_123_456_789, ImageId(image_id) if image_id else None, reason)


def vectors(count: int, *, seed: int = 0) -> Vectors:
    """Return vectors of any lengths, the same for the same seed."""
    return np.random.default_rng(seed).normal(size=(count, DIMENSION)).astype(np.float32)


def at_cosine(*cosines: float) -> Vectors:
    """Return unit vectors with these cosines to `axis()`."""
    rows = np.zeros((len(cosines), DIMENSION), np.float32)
    rows[:, 0] = cosines
    rows[:, 1] = np.sqrt(1 - np.square(cosines))
    return rows


def axis() -> Vector:
    return np.eye(1, DIMENSION, dtype=np.float32)[0]


def ids(scored: Iterable[RankedImage]) -> list[str]:
    return [hit.image_id for hit in scored]


def bm25(documents: Mapping[str, Sequence[str]], terms: Sequence[str]) -> dict[str, float]:
    """Score documents as SQLite's documentation of FTS5, section 5.1.1, writes the formula."""
    k1, b = 1.2, 0.75
    mean_length = sum(map(len, documents.values())) / len(documents)
    counts = {key: Counter(words) for key, words in documents.items()}
    scores: dict[str, float] = {}
    for term in set(terms):
        holders = [key for key, count in counts.items() if count[term]]
        rarity = math.log((len(documents) - len(holders) + 0.5) / (len(holders) + 0.5))
        for key in holders:
            often = counts[key][term]
            length = len(documents[key]) / mean_length
            part = max(rarity, 1e-6) * often * (k1 + 1) / (often + k1 * (1 - b + b * length))
            scores[key] = scores.get(key, 0.0) + part
    return scores
