"""Vectors like those of CLIP for a chest X-ray archive, queries, and the exact results.

Not real embeddings. What makes them hard: a mean that all share, with a few numbers far larger than the others; many
uneven clusters, which belong to a view each, so that a view filter goes with the vector; patients whose images are
similar; groups of near duplicates; and text queries that are far from every image.
"""

from __future__ import annotations

import os
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import numpy as np

BENCH = Path(os.environ.get("CXR_BENCH_DIR", "build/bench"))
SIZES = (10_000, 47_000, 94_000, 188_000, 377_110)
DIMENSION, RANK, CLUSTERS = 1024, 80, 1500
VIEWS, SHARES = ("AP", "PA", "LATERAL", "LL"), (0.40, 0.26, 0.25, 0.09)
FILTERS = ("none", "LATERAL", "one patient", "0.1 %")
QUERIES = 40  # of images, and as many of texts
TOP = 10
_TWINS, _TWIN_GROUPS = 40, 60
_CHUNK = 8192
_TIE = 1e-6
_ALIKE = 0.9995  # cosine of near duplicates


@dataclass(frozen=True)
class Facts:
    """Facts of each image, by its number."""

    view: np.ndarray
    subject: np.ndarray
    study: np.ndarray
    rare: np.ndarray
    """Whether the image is in a sample of one study in a thousand."""


class Data:
    """The first `count` images of the archive in `BENCH`, which is generated if it is missing."""

    def __init__(self, count: int) -> None:
        self.count = count
        if not (BENCH / "questions.npz").exists():
            BENCH.mkdir(parents=True, exist_ok=True)
            _make(np.random.default_rng(11))

    @cached_property
    def vectors(self) -> np.ndarray:
        return np.load(BENCH / "vectors.npy", mmap_mode="r")[: self.count]

    @cached_property
    def facts(self) -> Facts:
        stored = np.load(BENCH / "facts.npz")
        return Facts(**{name: stored[name][: self.count] for name in ("view", "subject", "study", "rare")})

    @cached_property
    def queries(self) -> np.ndarray:
        """Half of images, then half of texts; the first quarter is near a group of duplicates."""
        return np.load(BENCH / "questions.npz")["vectors"]

    def patient(self, number: int) -> int:
        """Return the subject that a query filters by."""
        return int(self.facts.subject[(number * 7919) % self.count])

    def mask(self, which: str, number: int) -> np.ndarray:
        """Return which images pass a filter."""
        facts = self.facts
        return {
            "none": lambda: np.ones(self.count, np.bool_),
            "LATERAL": lambda: facts.view == VIEWS.index("LATERAL"),
            "one patient": lambda: facts.subject == self.patient(number),
            "0.1 %": lambda: facts.rare,
        }[which]()

    @cached_property
    def floors(self) -> dict[str, list[tuple[float, int]]]:
        """Return for each filter and query the cosine of the last true hit, and the number of true hits."""
        cosines = np.concatenate(
            [self.vectors[start : start + _CHUNK] @ self.queries.T for start in range(0, self.count, _CHUNK)]
        )
        return {which: [self._floor(which, number, cosines) for number in range(2 * QUERIES)] for which in FILTERS}

    def _floor(self, which: str, number: int, cosines: np.ndarray) -> tuple[float, int]:
        scores = cosines[self.mask(which, number), number]
        hits = min(TOP, len(scores))
        return float(np.sort(scores)[-hits]), hits

    def recall(self, which: str, number: int, found: list[int]) -> float:
        """Return the share of the true hits that were found; images that tie with the last one count."""
        floor, hits = self.floors[which][number]
        allowed = self.mask(which, number)
        cosines = self.vectors[sorted(set(found))] @ self.queries[number]
        good = sum(
            bool(allowed[image]) and cosine >= floor - _TIE
            for image, cosine in zip(sorted(set(found)), cosines, strict=True)
        )
        return min(good, hits) / hits


def _unit(rows: np.ndarray) -> np.ndarray:
    return rows / np.linalg.norm(rows, axis=-1, keepdims=True)


def _make(rng: np.random.Generator) -> None:
    count = SIZES[-1]
    axes = np.linalg.qr(rng.standard_normal((DIMENSION, RANK)))[0].T.astype(np.float32)
    falling = 1 / np.sqrt(np.arange(1, RANK + 1))
    falling /= np.linalg.norm(falling)
    common = rng.standard_normal(DIMENSION)
    common[rng.choice(DIMENSION, 6, replace=False)] *= 12
    common = _unit(common)
    of_view = rng.standard_normal((4, RANK)) * falling
    view_of_cluster = rng.choice(4, CLUSTERS, p=SHARES)
    centers = 0.8 * of_view[view_of_cluster] + 0.75 * rng.standard_normal((CLUSTERS, RANK)) * falling
    popularity = rng.pareto(1.5, CLUSTERS) + 0.1

    study = np.sort(rng.integers(0, int(0.6 * count), count))
    subject = study // 4
    view = rng.choice(4, count, p=SHARES).astype(np.int8)
    cluster = np.empty(count, np.int64)
    for one in range(4):
        members = np.flatnonzero(view_of_cluster == one)
        chance = popularity[members] / popularity[members].sum()
        cluster[view == one] = rng.choice(members, (view == one).sum(), p=chance)
    of_subject = (0.3 * rng.standard_normal((subject.max() + 1, RANK)) * falling).astype(np.float32)

    vectors = np.lib.format.open_memmap(BENCH / "vectors.npy", mode="w+", dtype=np.float32, shape=(count, DIMENSION))
    for start in range(0, count, _CHUNK):
        part = slice(start, min(start + _CHUNK, count))
        own = 0.28 * rng.standard_normal((part.stop - start, RANK)) * falling
        noise = rng.standard_normal((part.stop - start, DIMENSION)) * 0.3 / np.sqrt(DIMENSION)
        vectors[part] = _unit(1.9 * common + (centers[cluster[part]] + of_subject[subject[part]] + own) @ axes + noise)
    _add_twins(vectors, rng)
    vectors.flush()
    np.savez(BENCH / "facts.npz", view=view, subject=subject, study=study, rare=(study * 2654435761) % 1000 == 0)
    np.savez(BENCH / "questions.npz", vectors=_queries(vectors, common, centers, axes, rng))


def _add_twins(vectors: np.ndarray, rng: np.random.Generator) -> None:
    """Make groups of near duplicates, the first among the first images, so that each size has some."""
    for group in range(_TWIN_GROUPS):
        within = SIZES[group % len(SIZES)]
        first = int(rng.integers(0, SIZES[0]))
        others = rng.choice(within, _TWINS, replace=False)
        noise = rng.standard_normal((_TWINS, DIMENSION)) * 0.01 / np.sqrt(DIMENSION)
        vectors[others] = _unit(vectors[first] + noise)


def _queries(
    vectors: np.ndarray, common: np.ndarray, centers: np.ndarray, axes: np.ndarray, rng: np.random.Generator
) -> np.ndarray:
    near = vectors[rng.choice(SIZES[0], QUERIES, replace=False)]
    images = near + rng.standard_normal((QUERIES, DIMENSION)) * 0.25 / np.sqrt(DIMENSION)
    sample = vectors[: SIZES[0]]
    twins = np.flatnonzero([(sample @ one > _ALIKE).sum() > 2 for one in sample[:: SIZES[0] // 2000]])
    images[: QUERIES // 2] = sample[:: SIZES[0] // 2000][rng.choice(twins, QUERIES // 2)]
    gap = _unit(0.2 * common + _unit(rng.standard_normal(DIMENSION)))
    meant = (0.9 * centers[rng.integers(0, CLUSTERS, QUERIES)] + 0.4 * rng.standard_normal((QUERIES, RANK)) / 9) @ axes
    texts = 1.6 * gap + meant + rng.standard_normal((QUERIES, DIMENSION)) * 0.35 / np.sqrt(DIMENSION)
    return _unit(np.concatenate([images, texts])).astype(np.float32)
