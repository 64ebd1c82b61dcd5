"""Archives with known figures, written straight to a store."""

from __future__ import annotations

from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

import numpy as np

from mcp_cxr.evaluate import CLASS_PROMPTS, EvaluationPlan
from mcp_cxr.evaluate.inputs import EvaluationContext, load_dataset
from mcp_cxr.records import Fingerprint, ImageId, ImageRecord, ImageSpec, Study, StudyId, SubjectId
from mcp_cxr.stores import MemoryStore

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Mapping, Sequence
    from types import TracebackType
    from typing import Any, Self

    from mcp_cxr.evaluate import Figure, ProtocolResult
    from mcp_cxr.records import Vector, Vectors
    from mcp_cxr.stores import Store

DIMENSION = 256
LABELS = ("Edema", "Fracture", "Pneumonia")
PROMPTS = {label: CLASS_PROMPTS[label] for label in LABELS}
FINGERPRINT = Fingerprint("label-embedder", DIMENSION, "1")
_AXES = np.linalg.qr(np.random.default_rng(5).normal(size=(DIMENSION, DIMENSION)))[0]


def axis(number: int) -> Vector:
    """Return one of the orthogonal directions that vectors are made of; the first ones stand for the labels."""
    return _AXES[number].astype(np.float32)


@dataclass(frozen=True, slots=True)
class SyntheticImage:
    """An image without pixels, with its study and patient."""

    image: str
    study: str
    patient: str
    vector: Vector
    labels: Mapping[str, int] = field(default_factory=dict[str, int])
    report: str | None = None
    split: str | None = None
    view: str = "PA"


class LabelEmbedder:
    """An `Embedder` of texts: the mean direction of the labels a text names, unless `vectors` has the whole text."""

    name = FINGERPRINT.model
    image_spec = ImageSpec(size=8, mode="L")
    batch_size = None
    max_text_words = 45

    def __init__(self, vectors: Mapping[str, Vector] | None = None, *, embeds_text: bool = True) -> None:
        self.embeds_text = embeds_text
        self.near_duplicate_cosine = 0.999
        self._vectors = {text.casefold(): vector for text, vector in (vectors or {}).items()}

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        return None

    async def fingerprint(self) -> Fingerprint:
        return FINGERPRINT

    async def embed_images(self, pictures: Sequence[Any]) -> list[Any]:
        raise NotImplementedError

    async def embed_texts(self, texts: Sequence[str]) -> Vectors:
        return np.stack([self._vectors.get(text.casefold(), _vector_of(text)) for text in texts])


def _vector_of(text: str) -> Vector:
    named = [axis(number) for number, label in enumerate(LABELS) if label.lower() in text.lower()]
    return unit(np.sum(named, axis=0)) if named else axis(DIMENSION - 1)


def unit(vector: np.ndarray) -> Vector:
    return (vector / np.linalg.norm(vector)).astype(np.float32)


def labeled_images(count: int = 90, *, images_per_patient: int = 1) -> tuple[list[SyntheticImage], LabelEmbedder]:
    """Return images of one label each, and the embedder that finds each by its label and by its report."""
    images: list[SyntheticImage] = []
    for number in range(count):
        label = number % len(LABELS)
        vector = unit(axis(label) + 0.5 * axis(len(LABELS) + number))
        images.append(
            SyntheticImage(
                f"i{number:03}",
                f"s{number:03}",
                f"p{number // images_per_patient:03}",
                vector,
                {name: int(name == LABELS[label]) for name in LABELS},
                f"IMPRESSION: There is {LABELS[label].lower()} on image {number}.",
            )
        )
    return images, LabelEmbedder(
        {f"There is {LABELS[n % len(LABELS)].lower()} on image {n}.": image.vector for n, image in enumerate(images)}
    )


def random_vectors(count: int, *, seed: int) -> list[Vector]:
    """Return vectors unrelated to any label."""
    return [unit(row) for row in np.random.default_rng(seed).normal(size=(count, DIMENSION))]


async def fill(store: Store, images: Sequence[SyntheticImage]) -> None:
    await store.create(FINGERPRINT)
    await store.put_studies([_study(image) for image in {image.study: image for image in images}.values()])
    records = [
        ImageRecord(
            ImageId(image.image),
            StudyId(image.study),
            SubjectId(image.patient),
            image.view,
            "ViewPosition",
            f"{image.image}.dcm",
            "/",
        )
        for image in images
    ]
    await store.put(records, np.stack([image.vector for image in images]))


def _study(image: SyntheticImage) -> Study:
    return Study(StudyId(image.study), SubjectId(image.patient), None, image.split, image.labels, image.report)


@asynccontextmanager
async def evaluation_context(
    images: Sequence[SyntheticImage],
    embedder: LabelEmbedder | None = None,
    *,
    store: Store | None = None,
    **plan: Any,
) -> AsyncGenerator[EvaluationContext]:
    """Yield the context of an evaluation of an archive of these images, in memory unless a store is given."""
    used, planned = embedder or LabelEmbedder(), replace(EvaluationPlan(prompts=PROMPTS, resamples=100), **plan)
    async with store or MemoryStore() as opened:
        await fill(opened, images)
        labels_of = planned.truth.labels_of if planned.truth else lambda stored: stored.study.labels
        dataset = await load_dataset(opened, split=planned.split, labels_of=labels_of)
        yield EvaluationContext(opened, used, used.fingerprint, dataset, planned)


def figure(result: ProtocolResult, name: str, of: str = "") -> Figure:
    (found,) = [one for one in result.figures if (one.name, one.of) == (name, of)]
    return found
