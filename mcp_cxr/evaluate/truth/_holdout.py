"""A copy of part of the archive without what a protocol may not see, and the real search that asks it.

Nothing in the search is switched off: what would leak the right answers is not there to be found.
"""

from __future__ import annotations

import tempfile
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from mcp_cxr.errors import EmbeddingUnavailable
from mcp_cxr.evaluate.metrics import Counted
from mcp_cxr.records import Filter, SearchArguments
from mcp_cxr.search import MAX_LIMIT, Searcher, parse_query
from mcp_cxr.stores import EmbeddedStore

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Mapping, Sequence

    from mcp_cxr.evaluate.metrics._ranking import Counts, Mask
    from mcp_cxr.evaluate.truth._context import Ground
    from mcp_cxr.records import ImageId, Mode, Rendering, StoredImage, StudyId
    from mcp_cxr.stores import Store

_AT_ONCE = 500
K = 10
"""Answers that are looked at."""
SEALED = "labels and their words: the search asks a copy of the archive that never held them"


@dataclass(frozen=True, slots=True)
class Answers:
    """Studies in the order of an answer, by number, and the image that each is shown by."""

    studies: Counts
    images: Sequence[ImageId]

    def known(self, right: Mapping[int, bool]) -> Listing:
        """Return them as right and wrong; those of which neither is known are left out."""
        told = [study for study in self.studies.tolist() if study in right]
        return Listing(np.array(told, np.int64), np.array([right[study] for study in told], np.bool_))


@dataclass(frozen=True, slots=True)
class Listing:
    """Studies in the order of an answer, right or wrong."""

    studies: Counts
    right: Mask

    def precision(self, counts: Counts | None = None) -> float:
        """Return the share of right ones among the first ten.

        Args:
            counts: How often each study of the gallery counts.
        """
        return self._counted(counts).precision(K)

    def share(self, counts: Counts | None = None) -> float:
        """Return the share of right ones among those of the first ten places that are filled; NaN where none is."""
        counted = self._counted(counts)
        filled = min(int(counted.items.sum()), K)
        return counted.precision(K) * K / filled if filled else np.nan

    def _counted(self, counts: Counts | None) -> Counted:
        items = np.ones(len(self.studies), np.int64) if counts is None else counts[self.studies]
        return Counted(items, (items * self.right).astype(np.float64))


@dataclass(frozen=True, slots=True)
class Sealed:
    """The copy, and the search that asks it; made by `sealed`."""

    ground: Ground
    studies: Counts
    """The studies in it, by their numbers in the gallery."""
    reports: int
    """How many of them have a report."""
    _searcher: Searcher
    _number_of: Mapping[StudyId, int]

    async def answers(
        self, query: str, *, like: Sequence[str] = (), unlike: Sequence[str] = (), mode: Mode = "auto"
    ) -> Answers:
        """Return the first hundred studies of an answer.

        Raises:
            EmbeddingUnavailable: The service was lost, and the search would answer with words alone.
        """
        arguments = SearchArguments(query, limit=MAX_LIMIT, like=like, unlike=unlike, mode=mode)
        page = await self._searcher.search(parse_query(arguments), render=_no_file)
        if page.fallback_reason and self.ground.embedder.embeds_text:
            raise EmbeddingUnavailable(page.fallback_reason)
        numbers = [self._number_of[hit.study_id] for hit in page.images]  # pyright: ignore[reportArgumentType]  # a hit shows ids as plain text
        return Answers(np.array(numbers, np.int64), [hit.image_id for hit in page.images])  # pyright: ignore[reportArgumentType]  # the same

    def right(self, label: str) -> dict[int, bool]:
        """Return for each study of the copy whether it has a label, where that is known."""
        known, has = self.ground.gallery.label(label)
        here = np.isin(known, self.studies)
        return dict(zip(known[here].tolist(), has[here].tolist(), strict=True))

    def share(self, labels: Sequence[str]) -> float:
        """Return the mean share of studies that have a label: what chance finds."""
        return float(np.mean([np.mean(list(self.right(label).values())) for label in labels]))


@asynccontextmanager
async def sealed(ground: Ground, *, labels: bool) -> AsyncGenerator[Sealed]:
    """Copy the labelled studies of some patients into an archive of their own, which is gone afterwards.

    Args:
        ground: What is copied.
        labels: Whether the archive's own labels come along.
    """
    gallery = ground.gallery
    studies = _drawn(ground)
    rows = np.flatnonzero(np.isin(gallery.study_of, studies))
    with tempfile.TemporaryDirectory(prefix="mcp-cxr-evaluate-") as folder:
        async with EmbeddedStore(Path(folder)) as copy:
            await copy.create((await ground.store.info()).fingerprint)
            for first in range(0, len(rows), _AT_ONCE):
                stored = await ground.store.get(gallery.ids(rows[first : first + _AT_ONCE]), vectors=True)
                await _copy(list(stored.values()), copy, labels=labels)
            await _require_sealed(copy, labels=labels)
            reports = await copy.count(Filter(has_report=True), distinct="study")
            searcher = Searcher(copy, ground.embedder, confirm=ground.confirm)
            number_of = {gallery.study_ids[int(study)]: int(study) for study in studies}
            yield Sealed(ground, studies, reports, searcher, number_of)


def _drawn(ground: Ground) -> Counts:
    """Return the labelled studies of patients drawn until there are enough."""
    gallery = ground.gallery
    place = ground.rng().permutation(gallery.subject_of.max(initial=0) + 1)[gallery.subject_of]
    studies = np.flatnonzero(gallery.labelled)
    return np.sort(studies[np.argsort(place[studies], kind="stable")][: ground.plan.studies])


async def _copy(images: Sequence[StoredImage], copy: Store, *, labels: bool) -> None:
    studies = {stored.study.study_id: stored.study for stored in images}
    await copy.put_studies(list(studies.values()) if labels else [replace(one, labels={}) for one in studies.values()])
    vectors = [stored.vector for stored in images if stored.vector is not None]
    await copy.put([stored.image for stored in images if stored.vector is not None], np.stack(vectors))


async def _require_sealed(copy: Store, *, labels: bool) -> None:
    """Look whether what was to be kept out is in the copy.

    Raises:
        AssertionError: It is; figures would mean nothing.
    """
    if not labels and (leaked := (await copy.totals()).by_label):
        raise AssertionError(f"Labels leaked into the copy that must not know them: {', '.join(leaked)}.")


async def _no_file(name: str) -> Rendering:
    raise AssertionError("An evaluation names no file.")
