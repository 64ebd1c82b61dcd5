"""Finds inverted and rotated images by a small classifier that learns from altered copies of the archive's own.

Some images are embedded as they are, inverted, and turned by each right angle; a least-squares classifier tells these
from each other, and scores every vector. What it suspects is tried: the image is altered back, embedded, and listed if
it then looks upright.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from anyio import to_thread

from mcp_cxr.errors import EmbeddingError, FingerprintMismatch, ImageError, NotFound, PathRefused
from mcp_cxr.images import rendering_of_pixels
from mcp_cxr.records import Rejection
from mcp_cxr.research.data_check._result import CheckEntry, CheckList, cut

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Mapping, Sequence

    from numpy.typing import NDArray

    from mcp_cxr.embeddings import Embedder
    from mcp_cxr.records import Fingerprint, ImageSpec, Rendering, StoredImage, Vector, Vectors
    from mcp_cxr.research.data_check._facts import ArchiveFacts
    from mcp_cxr.stores import Store

    Pixels = NDArray[np.uint8]
    Floats = NDArray[np.float64]

_UPRIGHT = "upright"


def _same(pixels: Pixels) -> Pixels:
    return pixels


def _inverted(pixels: Pixels) -> Pixels:
    return 255 - pixels


def _turned_left(pixels: Pixels) -> Pixels:
    return np.rot90(pixels)


def _turned_around(pixels: Pixels) -> Pixels:
    return np.rot90(pixels, 2)


def _turned_right(pixels: Pixels) -> Pixels:
    return np.rot90(pixels, -1)


_ALTERATIONS: Mapping[str, tuple[Callable[[Pixels], Pixels], Callable[[Pixels], Pixels]]] = {
    _UPRIGHT: (_same, _same),
    "inverted": (_inverted, _inverted),
    "turned left by 90 degrees": (_turned_left, _turned_right),
    "turned by 180 degrees": (_turned_around, _turned_around),
    "turned right by 90 degrees": (_turned_right, _turned_left),
}
"""By name: what alters an upright rendering so, and what undoes it."""
_NAMES = tuple(_ALTERATIONS)
_SAMPLE = 96
"""Images that are altered: with 96 phantoms, 0.0 % of altered ones were missed and 1.6 % of upright ones suspected by
the demonstration encoder, with 48 2.5 %; none with the pixel sketch."""
_FEWEST = 20
_RIDGE = 0.01
_FOLDS, _ROUNDS = 4, 3
_BATCH = 32
_ROWS = 4096
_TRIED = 400
"""Suspected images that are altered back, the most suspicious first."""


@dataclass(frozen=True, slots=True)
class RenderingSource:
    """Where renderings of the archive's images come from."""

    embedder: Embedder
    check_fingerprint: Callable[[], Awaitable[Fingerprint]]
    """Raises if the embedder does not answer, or is not the archive's."""
    sample: Callable[[ImageSpec, int], Awaitable[list[Rendering]]]
    """Renderings of stored images whose files can be read, at most so many."""
    stored: Callable[[StoredImage], Awaitable[Rendering]]
    """The rendering of a stored image, as for its vector."""


async def list_orientation(
    store: Store, facts: ArchiveFacts, vectors: Vectors, source: RenderingSource, *, most: int
) -> CheckList:
    """Return the images that are inverted or turned.

    Args:
        store: The archive.
        facts: Of it.
        vectors: float32, shape (images, dimension), in the order of `facts`; may be on disk.
        source: Renders images.
        most: Entries to return.

    Raises:
        StoreError: The store fails.
    """
    try:
        await source.check_fingerprint()
        renderings = await source.sample(source.embedder.image_spec, _SAMPLE)
        copies = await _altered_copies(source.embedder, renderings)
        if len(copies) < _FEWEST:
            reason = f"Fewer than {_FEWEST} image files of the archive can be read: too few to learn from."
            return CheckList("orientation", not_made=reason)
        classifier = await to_thread.run_sync(_learned, np.array(copies, np.float32))
        suspected = await to_thread.run_sync(_suspected, classifier, vectors)
        return await _tried(store, facts, source, classifier, suspected, most=most)
    except (EmbeddingError, FingerprintMismatch) as exc:
        return CheckList("orientation", not_made=f"Altered copies cannot be embedded: {exc}")


@dataclass(frozen=True, slots=True)
class _Classifier:
    """Least squares on the class, which is linear discriminant analysis up to a scale."""

    origin: Floats
    weights: Floats
    """Shape (dimension, classes)."""
    base: Floats

    def scores(self, vectors: Vectors) -> Floats:
        """Return the score of each class, shape (vectors, classes)."""
        return (np.asarray(vectors, np.float64) - self.origin) @ self.weights + self.base


async def _altered_copies(embedder: Embedder, renderings: Sequence[Rendering]) -> list[list[Vector]]:
    """Return the vectors of each rendering altered in each way; renderings that the embedder rejects are left out."""
    rows: list[list[Vector]] = []
    for first in range(0, len(renderings), _BATCH):
        found: list[list[Vector | Rejection]] = []
        for alter, _ in _ALTERATIONS.values():
            altered = [_altered(one, alter, embedder.image_spec) for one in renderings[first : first + _BATCH]]
            found.append(await embedder.embed_images(altered))
        for copies in zip(*found, strict=True):
            vectors = [one for one in copies if not isinstance(one, Rejection)]
            if len(vectors) == len(copies):
                rows.append(vectors)
    return rows


def _learned(vectors: Vectors) -> _Classifier:
    """Learn, leaving out the images that were not upright to begin with, as those of other folds tell.

    Args:
        vectors: Shape (images, classes, dimension).
    """
    upright = np.arange(len(vectors))
    for _ in range(_ROUNDS):
        looks_upright = np.zeros(len(vectors), np.bool_)
        for fold in range(_FOLDS):
            is_out = np.arange(len(vectors)) % _FOLDS == fold
            classifier = _fitted(vectors[upright[~is_out[upright]]])
            looks_upright[is_out] = classifier.scores(vectors[is_out, 0]).argmax(axis=1) == 0
        if looks_upright.sum() < _FEWEST // 2:
            break
        upright = np.flatnonzero(looks_upright)
    return _fitted(vectors[upright])


def _fitted(vectors: Vectors) -> _Classifier:
    classes = np.concatenate([np.arange(len(_NAMES), dtype=np.int64)] * len(vectors))
    vectors = vectors.reshape(len(classes), -1)
    origin: Floats = vectors.mean(axis=0, dtype=np.float64)
    rows: Floats = vectors - origin
    truth: Floats = np.eye(len(_NAMES), dtype=np.float64)[classes]
    base = truth.mean(axis=0)
    products = rows.T @ rows
    products[np.diag_indices_from(products)] += _RIDGE * np.trace(products) / len(products)
    weights = np.asarray(np.linalg.solve(products, rows.T @ (truth - base)), np.float64)
    return _Classifier(origin, weights, base)


def _altered(rendering: Rendering, alter: Callable[[Pixels], Pixels], spec: ImageSpec) -> Rendering:
    return rendering_of_pixels(alter(rendering.pixels), spec)


def _suspected(classifier: _Classifier, vectors: Vectors) -> list[tuple[float, int, int]]:
    """Return margin, image and class of the images that look altered rather than upright, by margin."""
    found: list[tuple[float, int, int]] = []
    for first in range(0, len(vectors), _ROWS):
        scores = classifier.scores(vectors[first : first + _ROWS])
        best = scores.argmax(axis=1)
        margins = scores.max(axis=1) - scores[:, 0]
        found += [(float(margins[row]), first + row, int(best[row])) for row in np.flatnonzero(best).tolist()]
    return sorted(found, key=lambda one: (-one[0], one[1]))


async def _tried(
    store: Store,
    facts: ArchiveFacts,
    source: RenderingSource,
    classifier: _Classifier,
    suspected: list[tuple[float, int, int]],
    *,
    most: int,
) -> CheckList:
    """Return the suspected images that look upright once they are altered back."""
    entries: list[CheckEntry] = []
    unread = 0
    for first in range(0, min(len(suspected), _TRIED), _BATCH):
        batch = suspected[first : min(first + _BATCH, _TRIED)]
        stored = await store.get([facts.image_ids[image] for _, image, _ in batch])
        undone: list[Rendering] = []
        kept: list[tuple[float, int, int]] = []
        for margin, image, number in batch:
            rendering = await _rendering(source, stored.get(facts.image_ids[image]))
            if rendering is None:
                unread += 1
                continue
            undone.append(_altered(rendering, _ALTERATIONS[_NAMES[number]][1], source.embedder.image_spec))
            kept.append((margin, image, number))
        embedded = await source.embedder.embed_images(undone) if undone else []
        for (margin, image, number), vector in zip(kept, embedded, strict=True):
            if not isinstance(vector, Rejection) and classifier.scores(vector[None, :]).argmax() == 0:
                entries.append(_entry(facts, image, number, margin))
    return CheckList("orientation", cut(entries, most), len(entries), notes=_notes(len(suspected), unread))


async def _rendering(source: RenderingSource, stored: StoredImage | None) -> Rendering | None:
    if stored is None:  # forgotten meanwhile
        return None
    try:
        return await source.stored(stored)
    except (ImageError, NotFound, PathRefused):  # this file cannot be read now
        return None


def _notes(suspected: int, unread: int) -> tuple[str, ...]:
    notes = ["Mirror images are not looked for."]
    if suspected > _TRIED:
        notes.append(f"{suspected} images were suspected; only the first {_TRIED} were checked.")
    if unread:
        notes.append(f"{unread} suspected images were not checked: their files cannot be read.")
    return tuple(notes)


def _entry(facts: ArchiveFacts, image: int, number: int, margin: float) -> CheckEntry:
    study = facts.study_of_image(image)
    return CheckEntry(
        key=f"orientation|{facts.image_ids[image]}",
        images=(facts.image_ids[image],),
        studies=(study.study_id,),
        subjects=(facts.subject_of_study(study),),
        reason=f"It looks {_NAMES[number]}; with this undone, it looks upright.",
        score=round(margin, 4),
        suggestion=_NAMES[number],
    )
