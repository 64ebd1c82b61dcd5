"""Archives in memory whose studies are given by their reports alone: no file is read, vectors are random."""

from __future__ import annotations

from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np

from mcp_cxr.archive import Archive
from mcp_cxr.embeddings import OfflineEmbedder
from mcp_cxr.images import PREPROCESSING, ImageReader
from mcp_cxr.records import ImageId, ImageRecord, Study, StudyId, SubjectId
from mcp_cxr.settings import Settings
from mcp_cxr.stores import MemoryDatabase, MemoryStore

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Mapping, Sequence

    from mcp_cxr.embeddings import Embedder
    from mcp_cxr.records import SearchResult


@dataclass(frozen=True)
class Reported:
    """One study of an archive."""

    report: str | None = None
    labels: Mapping[str, int] = field(default_factory=dict[str, int])
    views: tuple[str, ...] = ("PA",)
    subject: int | None = None
    """The study's own number if None."""
    sex: str | None = None
    age: int | None = None
    positives_only: bool = False


def offline() -> OfflineEmbedder:
    """Return an embedder that reads no text."""
    return OfflineEmbedder(preprocessing=PREPROCESSING)


def study_id(number: int) -> StudyId:
    return StudyId(f"s{50_000_000 + number}")


def subject_id(number: int) -> SubjectId:
    return SubjectId(f"p{10_000_000 + number}")


def image_id(number: int, view: int = 0) -> ImageId:
    return ImageId("-".join([f"{number:08x}"] * 4 + [f"{view:08x}"]))


def numbers(page: SearchResult) -> list[int]:
    """Return the numbers of the studies of a page, from 1, in their order."""
    return [int(hit.study_id[1:]) - 50_000_000 for hit in page.images]


@asynccontextmanager
async def reported(
    studies: Sequence[Reported | str | None], embedder: Embedder | None = None, *, seed: int = 17
) -> AsyncGenerator[Archive]:
    """Open an archive of these studies; a text is a study with this report, None one without.

    Args:
        studies: They are numbered from 1.
        embedder: None: one that reads no text.
        seed: Of the vectors.
    """
    made = [one if isinstance(one, Reported) else Reported(one) for one in studies]
    async with MemoryStore(MemoryDatabase()) as store, ImageReader() as reader, embedder or offline() as used:
        fingerprint = await used.fingerprint()
        await store.create(fingerprint)
        await store.put_studies([_study(number, one) for number, one in enumerate(made, start=1)])
        images = [image for number, one in enumerate(made, start=1) for image in _images(number, one)]
        if images:
            vectors = np.random.default_rng(seed).normal(size=(len(images), fingerprint.dimension))
            await store.put(images, vectors.astype(np.float32))
        yield Archive(Settings.model_validate({}), store, used, reader)


def _study(number: int, one: Reported) -> Study:
    return Study(
        study_id(number),
        subject_id(one.subject or number),
        labels=one.labels,
        report=one.report,
        positives_only=one.positives_only,
        sex=one.sex,
        age=one.age,
    )


def _images(number: int, one: Reported) -> list[ImageRecord]:
    return [
        ImageRecord(image_id(number, at), study_id(number), subject_id(one.subject or number), view, "none", "", "/")
        for at, view in enumerate(one.views)
    ]
