"""Archives of made-up studies with real files, from which cohorts are made."""

from __future__ import annotations

from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from mcp_cxr.archive import Archive
from mcp_cxr.images import READING, ImageReader
from mcp_cxr.records import ImageId, ImageRecord, Outcome, Study, StudyId, SubjectId
from mcp_cxr.settings import Settings
from mcp_cxr.stores import MemoryStore
from tests.unit.evaluate.archives import FINGERPRINT, LabelEmbedder, random_vectors

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Sequence
    from pathlib import Path

    from mcp_cxr.records import Vectors
    from mcp_cxr.stores import Store


@dataclass(frozen=True, slots=True)
class MadeUpStudy:
    """A study of some images; its id is its number in the archive."""

    subject: int
    label: int | None = None
    """The value of Edema."""
    split: str | None = None
    images: int = 1
    report: str | None = None


FIVE = [MadeUpStudy(number % 3, label=number % 2, split="test" if number == 4 else "train") for number in range(5)]
"""Five studies of three patients."""


@asynccontextmanager
async def archive_of(
    studies: Sequence[MadeUpStudy], folder: Path, *, vectors: Vectors | None = None
) -> AsyncGenerator[Archive]:
    """Yield an archive of the studies in memory, as `archive_with` does."""
    async with MemoryStore() as store, archive_with(store, studies, folder, vectors=vectors) as archive:
        yield archive


@asynccontextmanager
async def archive_with(
    store: Store, studies: Sequence[MadeUpStudy], folder: Path, *, vectors: Vectors | None = None
) -> AsyncGenerator[Archive]:
    """Yield an archive of the studies in a new store; its data is in `folder / "data"`, its files in `"images"`."""
    await store.create(FINGERPRINT)
    await fill_with(store, studies, folder / "images", vectors)
    settings = Settings.model_validate({"MCP_CXR_DATA_DIR": str(folder / "data"), "MCP_CXR_ROOTS": str(folder)})
    yield Archive(settings, store, LabelEmbedder(), ImageReader())


async def fill_with(store: Store, studies: Sequence[MadeUpStudy], folder: Path, vectors: Vectors | None = None) -> None:
    """Write the studies to a store, with a file and its outcome for each image."""
    records, outcomes = _files(studies, folder)
    await store.put(records, np.stack(random_vectors(len(records), seed=7)) if vectors is None else vectors)
    await store.put_studies(
        [
            Study(
                StudyId(f"s{number:03}"),
                SubjectId(f"p{study.subject:03}"),
                split=study.split,
                labels={} if study.label is None else {"Edema": study.label},
                labels_by=None if study.label is None else "chexpert",
                report=study.report,
            )
            for number, study in enumerate(studies)
        ]
    )
    await store.record_outcomes(outcomes)


def _files(studies: Sequence[MadeUpStudy], folder: Path) -> tuple[list[ImageRecord], list[Outcome]]:
    folder.mkdir(parents=True, exist_ok=True)
    records, outcomes = list[ImageRecord](), list[Outcome]()
    for number, study in enumerate(studies):
        for image in range(study.images):
            name = f"i{number:03}-{image}"
            file = folder / f"{name}.dcm"
            file.write_bytes(name.encode())
            status = file.stat()
            records.append(
                ImageRecord(
                    ImageId(name),
                    StudyId(f"s{number:03}"),
                    SubjectId(f"p{study.subject:03}"),
                    "PA" if image == 0 else "LATERAL",
                    "ViewPosition",
                    file.name,
                    str(folder),
                    reading=READING,
                )
            )
            outcomes.append(Outcome(str(file), status.st_size, status.st_mtime_ns, ImageId(name), reading=READING))
    return records, outcomes
