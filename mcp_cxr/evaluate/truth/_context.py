"""What every protocol stands on."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from mcp_cxr.evaluate.metrics import Bootstrap

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Sequence

    from numpy.typing import NDArray

    from mcp_cxr.embeddings import Embedder
    from mcp_cxr.evaluate.truth._dataset import Gallery
    from mcp_cxr.evaluate.truth._plan import EvaluationPlan
    from mcp_cxr.records import Fingerprint, Vectors
    from mcp_cxr.stores import Store

ENOUGH = 10
"""A label that fewer studies have is not asked for: its P@10 could not reach 1."""
_TEXTS_AT_ONCE = 64


@dataclass(frozen=True, slots=True)
class Ground:
    """The archive, what reads for it, and what is to be measured."""

    store: Store
    embedder: Embedder
    confirm: Callable[[], Awaitable[Fingerprint]]
    """Returns the embedder's fingerprint, or raises where it does not fit the archive's."""
    gallery: Gallery
    plan: EvaluationPlan

    def labels(self, studies: NDArray[np.integer] | None = None) -> list[str]:
        """Return the labels that can be asked for: enough studies, of these or of all, have it, and some do not."""
        among = (
            np.ones(len(self.gallery.study_ids), np.bool_) if studies is None else np.zeros_like(self.gallery.labelled)
        )
        if studies is not None:
            among[studies] = True
        found: list[str] = []
        for name in self.plan.prompts:
            known, has = self.gallery.label(name)
            here = has[among[known]]
            if ENOUGH <= here.sum() < here.size:
                found.append(name)
        return found

    def bootstrap(self, subject_of: NDArray[np.integer]) -> Bootstrap:
        """Return the draws over these items' patients."""
        return Bootstrap(subject_of, resamples=self.plan.resamples, seed=self.plan.seed)

    def rng(self) -> np.random.Generator:
        """Return what a protocol draws its questions with."""
        return np.random.default_rng(self.plan.seed)

    async def embedded(self, texts: Sequence[str]) -> Vectors:
        """Return the vectors of texts.

        Raises:
            FingerprintMismatch: The archive's vectors were made by another embedder.
            EmbeddingError: The embedder gives none.
        """
        await self.confirm()
        parts = [texts[first : first + _TEXTS_AT_ONCE] for first in range(0, len(texts), _TEXTS_AT_ONCE)]
        return np.concatenate([await self.embedder.embed_texts(part) for part in parts])
