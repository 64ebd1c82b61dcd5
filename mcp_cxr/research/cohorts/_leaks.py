"""Looks for leaks between splits: patients in two of them, and near duplicates across them."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from anyio import to_thread

from mcp_cxr.records import ImageId
from mcp_cxr.research.cohorts._splits import subjects_in_several_splits
from mcp_cxr.research.vectors import archive_mean, mirrored_vectors, near_duplicates, read_vectors

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Sequence

    from numpy.typing import NDArray

    from mcp_cxr.embeddings import Embedder
    from mcp_cxr.records import Rendering, StoredImage, Vector
    from mcp_cxr.research.cohorts._manifest import CohortRow
    from mcp_cxr.research.vectors import ArchiveVectors, NearDuplicates
    from mcp_cxr.stores import Store

_COPY = 0.995
"""Cosine from which an image is a copy of another as JPEG or of another size, for an encoder that puts those of two
exports at 0.999: measured by tests/bench/bench_leaks.py; no pair of two patients reached it."""
ONE_SPLIT = "the cohort has fewer than two splits"
_LISTED = 100  # patients and pairs that the manifest names
_MOST_FOR_A_MODEL = 20_000
"""Images whose vectors are compared while a model waits: 20 s of the 60 s that hosts give a call."""


def leak_cosine(near_duplicate_cosine: float) -> float:
    """Return the cosine from which two images over a border are a leak, from that of near duplicates in results."""
    return min(near_duplicate_cosine, _COPY)


@dataclass(frozen=True, slots=True)
class LeakSearch:
    """What is needed to look for leaks."""

    store: Store
    embedder: Embedder
    render: Callable[[StoredImage], Awaitable[Rendering]]
    """Renders a stored image for the embedder, to mirror it."""
    mirrored: bool = False
    limits_work: bool = False
    """Whether somebody waits who gives up after a minute."""

    async def leaks(self, rows: Sequence[CohortRow]) -> dict[str, Any]:
        """Return what leaks, as the manifest says it; `not_checked` says why vectors were not compared.

        Raises:
            EmbeddingError: Mirror images were asked for, and the embedder fails.
            StoreError: The store fails.
        """
        subjects = subjects_in_several_splits(rows)
        found: dict[str, Any] = {"subjects": len(subjects), "subject_ids": subjects[:_LISTED]}
        split_of = {ImageId(row.image_id): row.split for row in rows if row.split}
        if why := await self._why_not_compared(split_of):
            return {**found, "not_checked": why}
        mean = await archive_mean(self.store)
        vectors = await read_vectors(self.store, ids=sorted(split_of))
        if mean is None or not vectors.image_ids:
            return {**found, "not_checked": "the images have no vectors"}
        compared = _CohortVectors(vectors, mean, split_of, leak_cosine(self.embedder.near_duplicate_cosine))
        found["cosine"] = round(compared.least, 6)
        found["near_duplicates"] = await to_thread.run_sync(compared.over_borders)
        if self.mirrored:
            found["mirrored"] = await self._mirrored(compared)
        return found

    async def _why_not_compared(self, split_of: dict[ImageId, str]) -> str | None:
        if len(set(split_of.values())) < 2:  # noqa: PLR2004 - a border has two sides
            return ONE_SPLIT
        if self.limits_work and len(split_of) > _MOST_FOR_A_MODEL:
            return f"more than {_MOST_FOR_A_MODEL:,} images: `mcp-cxr cohort make` compares them"
        fingerprint = (await self.store.info()).fingerprint
        if fingerprint and (advice := fingerprint.other_model_advice(self.embedder.name)):
            return f"the configured embedder is of another model. {advice.removesuffix('.')}"
        return None

    async def _mirrored(self, compared: _CohortVectors) -> dict[str, Any]:
        """Mirror all splits but the largest: of each pair over a border, one image is then mirrored."""
        ids = compared.all_but_the_largest()
        found = await mirrored_vectors(self.store, ids, render=self.render, embedder=self.embedder)
        pairs = await to_thread.run_sync(compared.with_mirrored, found.image_ids, found.vectors)
        return {**pairs, "left_out": found.left_out}


@dataclass(frozen=True, slots=True)
class _CohortVectors:
    """The vectors of a cohort, and its splits as numbers."""

    vectors: ArchiveVectors
    mean: Vector
    split_of: dict[ImageId, str]
    least: float

    def over_borders(self) -> dict[str, Any]:
        """Return the near duplicates in different splits."""
        found = near_duplicates(
            self.vectors.vectors, mean=self.mean, least=self.least, sets=self._sets(self.vectors.image_ids)
        )
        return _listed(found, self.vectors.image_ids, self.vectors.image_ids)

    def with_mirrored(self, ids: Sequence[ImageId], vectors: NDArray[np.float32]) -> dict[str, Any]:
        """Return the images that are near the mirror image of one in another split."""
        found = near_duplicates(
            self.vectors.vectors,
            mean=self.mean,
            least=self.least,
            sets=self._sets(self.vectors.image_ids),
            others=vectors,
            other_sets=self._sets(ids),
        )
        return _listed(found, self.vectors.image_ids, ids)

    def all_but_the_largest(self) -> list[ImageId]:
        """Return the images of all splits but the largest."""
        ((largest, _),) = Counter(self.split_of[one] for one in self.vectors.image_ids).most_common(1)
        return [one for one in self.vectors.image_ids if self.split_of[one] != largest]

    def _sets(self, ids: Sequence[ImageId]) -> NDArray[np.int64]:
        names = sorted(set(self.split_of.values()))
        return np.array([names.index(self.split_of[one]) for one in ids], np.int64)


def _listed(found: NearDuplicates, first: Sequence[ImageId], second: Sequence[ImageId]) -> dict[str, Any]:
    """Return the number of pairs, and the first ones by id; a pair that both directions found counts once."""
    pairs = {tuple(sorted((first[int(i)], second[int(j)]))) for i, j in zip(found.first, found.second, strict=True)}
    total = len(pairs) if found.total == len(found.first) else found.total
    return {"pairs": total, "image_ids": [list(pair) for pair in sorted(pairs)[:_LISTED]]}
