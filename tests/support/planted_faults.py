"""Archives of made-up vectors in memory, whose labels and views show in the vectors, for faults to be planted in."""

from __future__ import annotations

from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

import numpy as np

from mcp_cxr.archive import Archive
from mcp_cxr.errors import EmbeddingUnavailable
from mcp_cxr.images import ImageReader
from mcp_cxr.records import Fingerprint, ImageId, ImageRecord, Study, StudyId, SubjectId
from mcp_cxr.settings import Settings
from mcp_cxr.stores import MemoryDatabase, MemoryStore
from tests.support.toy import ToyEmbedder

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Sequence
    from pathlib import Path

    from mcp_cxr.records import Vectors
    from mcp_cxr.stores import Store

DIMENSION = 48
SHARES = {"Edema": 0.3, "Pneumothorax": 0.1, "Pleural Effusion": 0.4, "Cardiomegaly": 0.2}
"""Share of the studies that have each label."""
VIEWS = ("PA", "AP", "LATERAL")


class UnreachableEmbedder(ToyEmbedder):
    """The embedder of made-up vectors: its service is down."""

    name = "made-up"
    near_duplicate_cosine = 0.99

    def _reach(self) -> None:
        raise EmbeddingUnavailable("The service is down.")


@dataclass
class PlantedFaults:
    """Studies of one image each; every third patient has two."""

    studies: list[Study] = field(default_factory=list[Study])
    images: list[ImageRecord] = field(default_factory=list[ImageRecord])
    vectors: Vectors = field(default_factory=lambda: np.empty((0, DIMENSION), np.float32))
    rng: np.random.Generator = field(default_factory=lambda: np.random.default_rng(0))

    @classmethod
    def drawn(cls, count: int, *, seed: int = 0, strength: float = 3.5) -> PlantedFaults:
        """Return studies whose labels move their vectors by `strength` deviations of the noise, and views by 8."""
        rng = np.random.default_rng(seed)
        directions = np.linalg.qr(rng.normal(size=(DIMENSION, DIMENSION)))[0]
        has = {label: rng.random(count) < share for label, share in SHARES.items()}
        views = rng.integers(len(VIEWS), size=count)
        rows = rng.normal(size=(count, DIMENSION)) + 6 * directions[-1]
        for number, label in enumerate(SHARES):
            rows += strength * has[label][:, None] * directions[number]
        rows += 8 * directions[len(SHARES) + views]
        found = cls(rng=rng)
        for number in range(count):
            labels = {label: int(has[label][number]) for label in SHARES}
            found._add(number, number - (number % 3 == 2), labels, VIEWS[views[number]])
        found.vectors = rows.astype(np.float32)
        return found

    def _add(self, number: int, subject: int, labels: dict[str, int], view: str) -> None:
        study, patient = StudyId(f"s{50_000_000 + number}"), SubjectId(f"p{10_000_000 + subject}")
        image = ImageId("-".join([f"{number:08x}"] * 5))
        self.studies.append(Study(study, patient, study_date="2020-01-01", labels=labels, labels_by="people"))
        self.images.append(ImageRecord(image, study, patient, view, "ViewPosition", "", "/"))

    def change_study(self, number: int, **changes: Any) -> None:
        """Change a study; a subject is changed in its image, too."""
        self.studies[number] = replace(self.studies[number], **changes)
        if "subject_id" in changes:
            self.images[number] = replace(self.images[number], subject_id=changes["subject_id"])

    def flip_labels(self, share: float) -> set[tuple[str, StudyId]]:
        """Exchange present and absent in a share of all labels; return which."""
        flipped: set[tuple[str, StudyId]] = set()
        for number, study in enumerate(self.studies):
            wrong = [label for label in study.labels if self.rng.random() < share]
            flipped.update((label, study.study_id) for label in wrong)
            self.change_study(
                number, labels={name: 1 - value if name in wrong else value for name, value in study.labels.items()}
            )
        return flipped

    def copy_image(self, of: int, to: int, noise: float = 0.01) -> None:
        """Make an image a near duplicate of another one."""
        self.vectors[to] = self.vectors[of] + self.rng.normal(size=DIMENSION) * noise

    async def fill(self, store: Store) -> None:
        """Write everything."""
        await store.create(Fingerprint(UnreachableEmbedder.name, DIMENSION, "1"))
        await store.put_studies(self.studies)
        await store.put(self.images, self.vectors)

    @asynccontextmanager
    async def archive(self, data: Path) -> AsyncGenerator[Archive]:
        """Open an archive of these studies in memory.

        Args:
            data: The data folder.
        """
        async with MemoryStore(MemoryDatabase()) as store, self.archive_in(store, data) as archive:
            yield archive

    @asynccontextmanager
    async def archive_in(self, store: Store, data: Path) -> AsyncGenerator[Archive]:
        """Fill an empty store, and open an archive over it."""
        await self.fill(store)
        async with ImageReader() as reader, UnreachableEmbedder() as embedder:
            yield Archive(Settings.model_validate({"MCP_CXR_DATA_DIR": str(data)}), store, embedder, reader)


def images_of(planted: PlantedFaults, numbers: Sequence[int]) -> list[ImageId]:
    """Return the ids of images by number."""
    return [planted.images[number].image_id for number in numbers]
