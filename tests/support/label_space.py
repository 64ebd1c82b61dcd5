"""Simulated studies with known findings: in noisy vectors, and for half of them in reports and labels.

It simulates a model of the CLIP family: texts and images lie in two separate cones; the vector of a text is the sum of
the findings it names, each at an angle to the direction that images of the finding share; negation is ignored. It shows
what fusion, denial and feedback do to such vectors, not how good a model is.
"""

from __future__ import annotations

import random
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np

from mcp_cxr.archive import Archive
from mcp_cxr.records import Fingerprint, ImageId, ImageRecord, ImageSpec, Rejection, Study, StudyId, SubjectId
from mcp_cxr.settings import Settings

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence
    from types import TracebackType
    from typing import Self

    from mcp_cxr.images import ImageReader
    from mcp_cxr.records import Rendering, Vector, Vectors
    from mcp_cxr.stores import Store

DIMENSION = 256
LABEL_OF = {
    "cardiomegaly": "Cardiomegaly",
    "pleural effusion": "Pleural Effusion",
    "pulmonary edema": "Edema",
    "atelectasis": "Atelectasis",
    "consolidation": "Consolidation",
    "pneumonia": "Pneumonia",
    "pneumothorax": "Pneumothorax",
    "nodule": "Lung Lesion",
    "rib fracture": "Fracture",
    "pacemaker": "Support Devices",
    "endotracheal tube": "Support Devices",
    "pleural thickening": "Pleural Other",
}
SHARES = (0.3, 0.3, 0.2, 0.3, 0.12, 0.15, 0.1, 0.1, 0.08, 0.15, 0.15, 0.06)
"""Share of the studies that have each finding."""
SEEN = ("There is {}.", "{} is present.", "Unchanged {}.", "{} is noted.")
DENIED = ("No {}.", "There is no evidence of {}.", "{} is not seen.")
POSSIBLE = ("Possible {}.", "{} cannot be excluded.")
MENTIONED = 0.85
"""Share of the present findings that a report mentions."""


@dataclass(frozen=True)
class Truth:
    """One study."""

    number: int
    findings: frozenset[str]
    has_report: bool
    """Whether it has a report and labels."""

    @property
    def study_id(self) -> StudyId:
        return StudyId(f"s{50_000_000 + self.number}")

    @property
    def image_id(self) -> ImageId:
        return ImageId("-".join([f"{self.number:08x}"] * 5))


class LabelSpace:
    """A seeded set of simulated studies.

    Args:
        studies: How many; each has one image.
        noise: Length of the noise in an image's vector; each of its findings adds 1.
        agreement: Cosine of a finding's direction in texts with its direction in images.
    """

    def __init__(self, studies: int, *, noise: float, seed: int, agreement: float = 0.8) -> None:
        self._rng = np.random.default_rng(seed)
        self._draw = random.Random(seed)  # noqa: S311  # not for security
        self._noise = noise
        directions = np.linalg.qr(self._rng.normal(size=(DIMENSION, DIMENSION)))[0].astype(np.float32)
        self._image_directions = dict(zip(LABEL_OF, directions, strict=False))
        askew = self._rng.normal(size=(len(LABEL_OF), DIMENSION)) / np.sqrt(DIMENSION)
        self._text_directions = {
            name: (agreement * self._image_directions[name] + np.sqrt(1 - agreement**2) * other).astype(np.float32)
            for name, other in zip(LABEL_OF, askew, strict=True)
        }
        self._image_mean, self._text_mean, self._chest = directions[-3:] * np.float32(4)
        self.truths = [self._truth(number) for number in range(studies)]

    def _truth(self, number: int) -> Truth:
        findings = {name for name, share in zip(LABEL_OF, SHARES, strict=True) if self._draw.random() < share}
        return Truth(number, frozenset(findings), has_report=self._draw.random() < 0.5)

    @cached_property
    def vectors(self) -> Vectors:
        """One for each study: the mean of images, its findings, noise."""
        noise = self._rng.normal(size=(len(self.truths), DIMENSION)) * (self._noise / np.sqrt(DIMENSION))
        rows = [self._sum(self._image_directions, truth.findings) + self._image_mean for truth in self.truths]
        return _units(np.stack(rows) + noise)

    def text_vector(self, text: str) -> Vector:
        """The vector of a text: of the findings it names, denied or not."""
        named = [name for name in LABEL_OF if name in text]
        return _units((self._sum(self._text_directions, named) + self._text_mean)[None, :])[0]

    def _sum(self, directions: Mapping[str, Vector], names: Iterable[str]) -> Vector:
        return np.sum([self._chest / 8, *(directions[name] for name in sorted(names))], axis=0)

    def report(self, truth: Truth) -> str:
        """Return a report that mentions most present findings, denies some absent ones, and calls a few possible."""
        draw = random.Random(truth.number)  # noqa: S311  # not for security
        said: list[str] = []
        for name in LABEL_OF:
            if name in truth.findings and draw.random() < MENTIONED:
                said.append(draw.choice(SEEN).format(name))
            elif name not in truth.findings and draw.random() < 0.5:
                said.append(draw.choice(DENIED).format(name))
            elif draw.random() < 0.05:
                said.append(draw.choice(POSSIBLE).format(name))
        draw.shuffle(said)
        return f"FINDINGS: {' '.join(one[0].upper() + one[1:] for one in said)}"

    def study(self, truth: Truth) -> Study:
        """The study as stored; one label in twenty is wrong."""
        subject = SubjectId(f"p{10_000_000 + truth.number}")
        if not truth.has_report:
            return Study(truth.study_id, subject)
        draw = random.Random(-truth.number - 1)  # noqa: S311  # not for security
        labels = dict.fromkeys(LABEL_OF.values(), 0)
        for name, label in LABEL_OF.items():
            if (name in truth.findings) != (draw.random() < 0.05):
                labels[label] = 1
        return Study(truth.study_id, subject, labels=labels, report=self.report(truth))

    async def fill(self, store: Store) -> None:
        """Write all studies, images and vectors."""
        await store.create(await LabelSpaceEmbedder(self).fingerprint())
        await store.put_studies([self.study(truth) for truth in self.truths])
        images = [
            ImageRecord(
                truth.image_id, truth.study_id, SubjectId(f"p{10_000_000 + truth.number}"), "PA", "none", "", "/"
            )
            for truth in self.truths
        ]
        await store.put(images, self.vectors)

    def archive(self, store: Store, reader: ImageReader) -> Archive:
        """An archive over the store, with the simulated model as its embedder."""
        return Archive(Settings.model_validate({}), store, LabelSpaceEmbedder(self), reader)


class LabelSpaceEmbedder:
    """An `Embedder` of texts alone."""

    name = "label-space"
    image_spec = ImageSpec(size=8, mode="L")
    batch_size = None
    embeds_text = True
    max_text_words = 45
    near_duplicate_cosine = 0.999

    def __init__(self, space: LabelSpace) -> None:
        self._space = space

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        return None

    async def fingerprint(self) -> Fingerprint:
        return Fingerprint(self.name, DIMENSION, "none")

    async def embed_images(self, pictures: Sequence[Rendering]) -> list[Vector | Rejection]:
        return [Rejection("texts only") for _ in pictures]

    async def embed_texts(self, texts: Sequence[str]) -> Vectors:
        return np.stack([self._space.text_vector(text) for text in texts])


def _units(rows: Vectors) -> Vectors:
    return (rows / np.linalg.norm(rows, axis=1, keepdims=True)).astype(np.float32)
