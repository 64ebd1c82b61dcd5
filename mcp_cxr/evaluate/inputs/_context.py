"""The arguments that all protocols share."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from mcp_cxr.evaluate.metrics import Bootstrap

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Sequence

    from numpy.typing import NDArray

    from mcp_cxr.embeddings import Embedder
    from mcp_cxr.evaluate.inputs._dataset import Dataset
    from mcp_cxr.evaluate.inputs._plan import EvaluationPlan
    from mcp_cxr.evaluate.metrics import Mask
    from mcp_cxr.records import Fingerprint, Vectors
    from mcp_cxr.stores import Store

MIN_STUDIES = 10
"""A label of fewer studies is not measured: its P@10 could not reach 1."""
NO_LABELS = "No label is present in ten studies and absent in another; see --truth."
"""Why a protocol is skipped if `labels` is empty."""
_BATCH = 64


@dataclass(frozen=True, slots=True)
class EvaluationContext:
    """The archive, its embedder, and the plan of the evaluation."""

    store: Store
    embedder: Embedder
    check_fingerprint: Callable[[], Awaitable[Fingerprint]]
    """Returns the embedder's fingerprint; raises if it differs from the archive's."""
    dataset: Dataset
    plan: EvaluationPlan

    def labels(self, studies: NDArray[np.integer] | None = None) -> list[str]:
        """Return the labels that can be measured: at least ten of these studies (default: all) have it, and not all."""
        left_out = self.labels_left_out(studies)
        return [name for name in self.plan.prompts if name not in left_out]

    def labels_left_out(self, studies: NDArray[np.integer] | None = None) -> dict[str, str]:
        """Return the other labels, each with the reason why it is not measured."""
        found: dict[str, str] = {}
        for name in self.plan.prompts:
            known, has = self.dataset.label_truth(name)
            has = has if studies is None else has[np.isin(known, studies)]
            if has.sum() < MIN_STUDIES:
                found[name] = f"Fewer than {MIN_STUDIES} studies have it."
            elif has.all():
                found[name] = "Every study for which it is known has it."
        return found

    def judged(self) -> Mask:
        """Return which studies the truth speaks of, by labels or by codes."""
        codes = self.plan.truth.codes if self.plan.truth else None
        if codes is None:
            return self.dataset.labeled
        coded = [codes.of_study(study) is not None for study in self.dataset.study_ids]
        return self.dataset.labeled | np.array(coded, np.bool_)

    def bootstrap(self, subject_of: NDArray[np.integer]) -> Bootstrap:
        """Return a bootstrap over the patients of these items."""
        return Bootstrap(subject_of, resamples=self.plan.resamples, seed=self.plan.seed)

    def rng(self) -> np.random.Generator:
        """Return a random generator with the plan's seed, to draw queries."""
        return np.random.default_rng(self.plan.seed)

    async def embed_texts(self, texts: Sequence[str]) -> Vectors:
        """Return the vectors of texts, shape (texts, dimension).

        Raises:
            FingerprintMismatch: The archive's vectors were made by another embedder.
            EmbeddingError: The embedder fails.
        """
        await self.check_fingerprint()
        parts = [texts[first : first + _BATCH] for first in range(0, len(texts), _BATCH)]
        return np.concatenate([await self.embedder.embed_texts(part) for part in parts])
