"""Copies part of the archive without the labels that are measured, and runs the search on the copy.

The search itself is unchanged: what would reveal the relevant results is not in the copy.
"""

from __future__ import annotations

import tempfile
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from mcp_cxr.errors import EmbeddingUnavailable
from mcp_cxr.evaluate.metrics import TieGroups
from mcp_cxr.records import Filter, SearchArguments
from mcp_cxr.search import MAX_LIMIT, Searcher, check_arguments
from mcp_cxr.stores import EmbeddedStore

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Mapping, Sequence

    from mcp_cxr.evaluate.inputs._context import EvaluationContext
    from mcp_cxr.evaluate.metrics import Integers, Mask
    from mcp_cxr.records import ImageId, Mode, Rendering, StoredImage, StudyId
    from mcp_cxr.stores import Store

_BATCH = 500
TOP_K = 10
"""Rank down to which results are judged."""
REMOVED_LABELS = "labels and their words: the search runs on a copy of the archive that never contained them"


@dataclass(frozen=True, slots=True)
class SearchRanking:
    """The studies of a search result in their order, by number, and the image that stands for each."""

    studies: Integers
    images: Sequence[ImageId]

    def judged(self, relevance: Mapping[int, bool]) -> JudgedRanking:
        """Return the studies whose relevance is known."""
        known = [study for study in self.studies.tolist() if study in relevance]
        return JudgedRanking(np.array(known, np.int64), np.array([relevance[study] for study in known], np.bool_))


@dataclass(frozen=True, slots=True)
class JudgedRanking:
    """The studies of a search result in their order, each relevant or not."""

    studies: Integers
    relevant: Mask

    def precision(self, counts: Integers | None = None) -> float:
        """Return P@10.

        Args:
            counts: How often each study of the dataset counts; once unless given.
        """
        return self._groups(counts).precision(TOP_K)

    def relevant_share(self, counts: Integers | None = None) -> float:
        """Return the share of relevant studies among the first ten, which may be fewer; NaN if there is none."""
        groups = self._groups(counts)
        filled = min(int(groups.items.sum()), TOP_K)
        return groups.precision(TOP_K) * TOP_K / filled if filled else np.nan

    def _groups(self, counts: Integers | None) -> TieGroups:
        items = np.ones(len(self.studies), np.int64) if counts is None else counts[self.studies]
        return TieGroups(items, (items * self.relevant).astype(np.float64))


@dataclass(frozen=True, slots=True)
class HeldOutCopy:
    """The copy and the search over it; made by `held_out_copy`."""

    context: EvaluationContext
    studies: Integers
    """The numbers in the dataset of the studies copied."""
    reports: int
    """Number of these studies that have a report."""
    _searcher: Searcher
    _number_of: Mapping[StudyId, int]

    @property
    def removed(self) -> list[str]:
        """What the copy lacks, because it would reveal the relevant results; empty if the archive has no labels."""
        return [] if self.context.dataset.archive_labels == "none" else [REMOVED_LABELS]

    async def search(
        self, query: str, *, like: Sequence[str] = (), unlike: Sequence[str] = (), mode: Mode = "auto"
    ) -> SearchRanking:
        """Return the first hundred studies of a search.

        Raises:
            EmbeddingUnavailable: The service is down, and the search fell back to words.
        """
        arguments = SearchArguments(query, limit=MAX_LIMIT, like=like, unlike=unlike, mode=mode)
        page = await self._searcher.search(check_arguments(arguments), render=_reject_file)
        if page.fallback_reason and self.context.embedder.embeds_text:
            raise EmbeddingUnavailable(page.fallback_reason)
        numbers = [self._number_of[hit.study_id] for hit in page.images]  # pyright: ignore[reportArgumentType]  # a hit shows ids as plain text
        return SearchRanking(np.array(numbers, np.int64), [hit.image_id for hit in page.images])  # pyright: ignore[reportArgumentType]  # the same

    def labels_left_out(self) -> dict[str, str]:
        """Return the labels that cannot be measured on this copy, each with the reason."""
        return self.context.labels_left_out(self.studies)

    def relevance(self, label: str) -> dict[int, bool]:
        """Return whether each study of the copy has a label; without the studies for which that is unknown."""
        known, has = self.context.dataset.label_truth(label)
        copied = np.isin(known, self.studies)
        return dict(zip(known[copied].tolist(), has[copied].tolist(), strict=True))

    def prevalence(self, labels: Sequence[str]) -> float:
        """Return the mean over labels of the share of studies that have it: the P@10 expected by chance."""
        return float(np.mean([np.mean(list(self.relevance(label).values())) for label in labels]))


@asynccontextmanager
async def held_out_copy(context: EvaluationContext, *, labels: bool) -> AsyncGenerator[HeldOutCopy]:
    """Copy the judged studies of randomly drawn patients into a temporary archive.

    Args:
        context: The archive to copy from.
        labels: Whether to copy the archive's own labels.

    Raises:
        AssertionError: Labels are in the copy that were not to be copied: the figures would mean nothing.
    """
    dataset = context.dataset
    studies = _draw_studies(context)
    rows = np.flatnonzero(np.isin(dataset.study_of, studies))
    with tempfile.TemporaryDirectory(prefix="mcp-cxr-evaluate-") as folder:
        async with EmbeddedStore(Path(folder)) as copy:
            await copy.create((await context.store.info()).fingerprint)
            for first in range(0, len(rows), _BATCH):
                stored = await context.store.get(dataset.ids(rows[first : first + _BATCH]), with_vectors=True)
                await _copy_images(list(stored.values()), copy, labels=labels)
            if not labels and (leaked := (await copy.totals()).by_label):
                raise AssertionError(f"Labels leaked into the copy, which must have none: {', '.join(leaked)}.")
            reports = await copy.count(Filter(has_report=True), distinct="study")
            searcher = Searcher(copy, context.embedder, check_fingerprint=context.check_fingerprint)
            number_of = {dataset.study_ids[int(study)]: int(study) for study in studies}
            yield HeldOutCopy(context, studies, reports, searcher, number_of)


def _draw_studies(context: EvaluationContext) -> Integers:
    """Return the judged studies of randomly drawn patients, `plan.studies` at most."""
    dataset = context.dataset
    order = context.rng().permutation(dataset.subject_of.max(initial=0) + 1)[dataset.subject_of]
    studies = np.flatnonzero(context.judged())
    return np.sort(studies[np.argsort(order[studies], kind="stable")][: context.plan.studies])


async def _copy_images(images: Sequence[StoredImage], copy: Store, *, labels: bool) -> None:
    studies = {stored.study.study_id: stored.study for stored in images}
    await copy.put_studies(
        list(studies.values()) if labels else [replace(study, labels={}) for study in studies.values()]
    )
    vectors = [stored.vector for stored in images if stored.vector is not None]
    await copy.put([stored.image for stored in images if stored.vector is not None], np.stack(vectors))


async def _reject_file(name: str) -> Rendering:
    raise AssertionError("An evaluation never searches by file.")
