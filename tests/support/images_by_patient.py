"""Image to image on the real images of CXR_TEST_DATA: by what is known of them, the same patient left out."""

from __future__ import annotations

import csv
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from mcp_cxr.embeddings import OfflineEmbedder
from mcp_cxr.images import PREPROCESSING
from tests.support.archives import opened

if TYPE_CHECKING:
    from collections.abc import Sequence

CHEST = ("dicom_cxr", "hannover_png", "ieee8023", "nih_png")
AT = 5


@dataclass(frozen=True)
class SampleImage:
    """One image, and what is known of it."""

    file: str
    patient: str
    facts: dict[str, str]


@dataclass(frozen=True)
class Measured:
    """Precision of the first five, by one fact, beside images drawn blindly."""

    fact: str
    images: int
    found: float
    chance: float


async def image_to_image(folder: Path) -> list[Measured]:
    """Ask for each image by example and count other patients' images that share a fact with it."""
    images = _known(folder)
    with tempfile.TemporaryDirectory() as data:
        ranked = await _ranked(folder, Path(data), images)
    return [_measured(fact, images, ranked) for fact in ("view", "finding", "folder")]


def _known(folder: Path) -> dict[str, SampleImage]:
    with (folder / "ground_truth.csv").open(newline="") as handle:
        rows = [row for row in csv.DictReader(handle) if row["file"].split("/")[0] in CHEST]
    return {
        row["file"]: SampleImage(
            row["file"],
            row["patient"] or row["file"],
            {"view": row["view"][:2], "finding": row["finding"], "folder": row["file"].split("/")[0]},
        )
        for row in rows
    }


async def _ranked(folder: Path, data: Path, images: dict[str, SampleImage]) -> dict[str, list[SampleImage]]:
    """Return for each image the others, most similar first, without those of its patient."""
    ranked: dict[str, list[SampleImage]] = {}
    async with opened(data, OfflineEmbedder(preprocessing=PREPROCESSING)) as archive:
        for part in CHEST:
            await archive.ingest(folder / part)
        stored = await archive.store.images_after(None, limit=1000)
        file_of = {one.image.image_id: _name(folder, one.image.root, one.image.image_path) for one in stored}
        for image_id, file in file_of.items():
            page = await archive.search(like=[image_id], group="none", limit=100)
            others = [images[file_of[hit.image_id]] for hit in page.images]  # pyright: ignore[reportArgumentType]  # a NewType
            ranked[file] = [other for other in others if other.patient != images[file].patient]
    return ranked


def _name(folder: Path, root: str, path: str) -> str:
    return (Path(root) / path).relative_to(folder.resolve()).as_posix()


def _measured(fact: str, images: dict[str, SampleImage], ranked: dict[str, list[SampleImage]]) -> Measured:
    found: list[float] = []
    chance: list[float] = []
    for file, others in ranked.items():
        value = images[file].facts[fact]
        if value:
            found.append(_share(others[:AT], fact, value))
            chance.append(_share(others, fact, value))
    return Measured(fact, len(found), float(np.mean(found)), float(np.mean(chance)))


def _share(images: Sequence[SampleImage], fact: str, value: str) -> float:
    return float(np.mean([image.facts[fact] == value for image in images]))
