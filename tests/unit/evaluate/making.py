"""Archives of which the right figures are known, made straight in a store."""

from __future__ import annotations

from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

import numpy as np

from mcp_cxr.evaluate import CLASS_PROMPTS, EvaluationPlan
from mcp_cxr.evaluate.truth._context import Ground
from mcp_cxr.evaluate.truth._dataset import load
from mcp_cxr.records import Fingerprint, ImageId, ImageRecord, ImageSpec, Study, StudyId, SubjectId
from mcp_cxr.stores import EmbeddedStore

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Mapping, Sequence
    from pathlib import Path
    from types import TracebackType
    from typing import Any, Self

    from mcp_cxr.evaluate import Figure, Measured
    from mcp_cxr.records import Vector, Vectors
    from mcp_cxr.stores import Store

DIMENSION = 256
LABELS = ("Edema", "Fracture", "Pneumonia")
PROMPTS = {label: CLASS_PROMPTS[label] for label in LABELS}
FINGERPRINT = Fingerprint("knowing", DIMENSION, "1")
_AXES = np.linalg.qr(np.random.default_rng(5).normal(size=(DIMENSION, DIMENSION)))[0]


def axis(number: int) -> Vector:
    """One of the directions that films are made of; the first are the labels'."""
    return _AXES[number].astype(np.float32)


@dataclass(frozen=True, slots=True)
class Film:
    """One film, and the study and patient it is of."""

    image: str
    study: str
    patient: str
    vector: Vector
    labels: Mapping[str, int] = field(default_factory=dict[str, int])
    report: str | None = None
    split: str | None = None


class KnowingEmbedder:
    """Keeps `Embedder`: a text is the direction of each label it names, or what it is told of a whole text."""

    name = FINGERPRINT.model
    image_spec = ImageSpec(size=8, mode="L")

    def __init__(self, told: Mapping[str, Vector] | None = None, *, embeds_text: bool = True) -> None:
        self.embeds_text = embeds_text
        self._told = {text.casefold(): vector for text, vector in (told or {}).items()}

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
        return np.stack([self._told.get(text.casefold(), _read(text)) for text in texts])


def _read(text: str) -> Vector:
    named = [axis(number) for number, label in enumerate(LABELS) if label.lower() in text.lower()]
    return unit(np.sum(named, axis=0)) if named else axis(DIMENSION - 1)


def unit(vector: np.ndarray) -> Vector:
    return (vector / np.linalg.norm(vector)).astype(np.float32)


def knowing(count: int = 90, *, films_a_patient: int = 1) -> tuple[list[Film], KnowingEmbedder]:
    """Films of one label each whose vectors say that label, and a bit of their own that their report says too."""
    films: list[Film] = []
    for number in range(count):
        label = number % len(LABELS)
        vector = unit(axis(label) + 0.5 * axis(len(LABELS) + number))
        films.append(
            Film(
                f"i{number:03}",
                f"s{number:03}",
                f"p{number // films_a_patient:03}",
                vector,
                {name: int(name == LABELS[label]) for name in LABELS},
                f"IMPRESSION: There is {LABELS[label].lower()} on film {number}.",
            )
        )
    return films, KnowingEmbedder(
        {f"There is {LABELS[n % len(LABELS)].lower()} on film {n}.": film.vector for n, film in enumerate(films)}
    )


def drawn(count: int, *, seed: int) -> list[Vector]:
    """Vectors that mean nothing."""
    return [unit(row) for row in np.random.default_rng(seed).normal(size=(count, DIMENSION))]


async def fill(store: Store, films: Sequence[Film]) -> None:
    await store.create(FINGERPRINT)
    await store.put_studies([_study(film) for film in {film.study: film for film in films}.values()])
    records = [
        ImageRecord(
            ImageId(film.image),
            StudyId(film.study),
            SubjectId(film.patient),
            "PA",
            "ViewPosition",
            f"{film.image}.dcm",
            "/",
        )
        for film in films
    ]
    await store.put(records, np.stack([film.vector for film in films]))


def _study(film: Film) -> Study:
    return Study(StudyId(film.study), SubjectId(film.patient), None, film.split, film.labels, film.report)


@asynccontextmanager
async def ground(
    folder: Path,
    films: Sequence[Film],
    embedder: KnowingEmbedder | None = None,
    *,
    store: type[EmbeddedStore] = EmbeddedStore,
    **plan: Any,
) -> AsyncGenerator[Ground]:
    """What protocols stand on, over an archive of these films."""
    used, planned = embedder or KnowingEmbedder(), replace(EvaluationPlan(prompts=PROMPTS, resamples=100), **plan)
    async with store(folder) as opened:
        await fill(opened, films)
        labels_of = planned.truth.labels_of if planned.truth else lambda stored: stored.study.labels
        gallery = await load(opened, split=planned.split, labels_of=labels_of)
        yield Ground(opened, used, used.fingerprint, gallery, planned)


def figure(measured: Measured, name: str, of: str = "") -> Figure:
    (found,) = [one for one in measured.figures if (one.name, one.of) == (name, of)]
    return found
