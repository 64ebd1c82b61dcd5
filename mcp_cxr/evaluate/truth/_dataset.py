"""The archive in the shape that figures are computed from: read once, compared many times.

A page of the store brings reports and headers along with each vector, so the vectors are put aside, in a file without a
name that is gone with the process. Comparing then takes one matrix product for many questions, and holds a block of
scores, whatever the archive's size.
"""

from __future__ import annotations

import tempfile
from dataclasses import dataclass, field
from hashlib import blake2b
from typing import IO, TYPE_CHECKING

import numpy as np
from anyio import to_thread

from mcp_cxr.language import main_text
from mcp_cxr.records import LABELS

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence

    from numpy.typing import NDArray

    from mcp_cxr.evaluate.metrics._ranking import Counts, Mask
    from mcp_cxr.records import ImageId, StoredImage, StudyId, Vector, Vectors
    from mcp_cxr.stores import Store

_PAGE = 1000
_SCORES_HELD = 1 << 24
"""Scores of images held at once: 64 MiB, and as much again while they are ordered by study."""
_ROWS = 4096  # vectors in one product: 16 MiB of 1,024 numbers
_SILENT = -2
"""A labelled study does not mention this label."""


@dataclass(slots=True)
class Damage:
    """Vectors that mean nothing, counted over all that were read."""

    read: int = 0
    external: int = 0
    zero: int = 0
    not_finite: int = 0
    constant: int = 0
    duplicate: int = 0
    """Equal to one before, to the bit."""


@dataclass(frozen=True, slots=True)
class Gallery:
    """Images of ours with sound vectors, their studies and patients, numbered as they came; made by `load`."""

    image_ids: Sequence[ImageId]
    study_of: Counts
    """Each image's study."""
    study_ids: Sequence[StudyId]
    subject_of: Counts
    """Each study's patient."""
    values: NDArray[np.int8]
    """Shape (studies, labels): 1 present, 0 absent, -1 uncertain, -2 not mentioned."""
    labelled: Mask
    """Studies of which the truth says anything."""
    text_of: Counts
    """Each study's report as a number, the same for the same text; -1 where there is none."""
    vectors: Vectors
    """Shape (images, dimension), unit length; on disk."""
    damage: Damage
    same_labels: bool
    """Whether the truth repeats the archive's own labels, as far as both speak."""
    _columns: Counts
    """Images by study; in place of each, the first one with the same vector."""
    _starts: Counts
    """Where each study begins among them."""

    @property
    def subjects(self) -> int:
        """How many patients there are."""
        return len(np.unique(self.subject_of))

    def ids(self, rows: Counts) -> list[ImageId]:
        """Return the ids of some images."""
        return [self.image_ids[int(row)] for row in rows]

    def label(self, name: str) -> tuple[Counts, Mask]:
        """Return the studies of which it is known whether they have a label, and which of them have it.

        A labelled study that does not mention it does not have it, as in the filters of the search; uncertain ones and
        studies without labels are left out.
        """
        column = self.values[:, LABELS.index(name)]
        known = np.flatnonzero(self.labelled & (column != -1))
        return known, column[known] == 1

    def scored(self, queries: Vectors) -> Iterator[Vector]:
        """Yield for each query the cosine of each study, by its best image. Equal vectors score equal."""
        for scores in self._blocks(queries):
            yield from np.maximum.reduceat(scores[:, self._columns], self._starts, axis=1)

    def cosines(self, queries: Vectors) -> Iterator[Vector]:
        """Yield for each query the cosine of each image."""
        for scores in self._blocks(queries):
            yield from scores

    def _blocks(self, queries: Vectors) -> Iterator[Vectors]:
        """Yield the scores of some queries with all images."""
        count = len(self.image_ids)
        held = max(1, _SCORES_HELD // count)
        for first in range(0, len(queries), held):
            part = np.ascontiguousarray(queries[first : first + held], np.float32)
            scores = np.empty((len(part), count), np.float32)
            for row in range(0, count, _ROWS):
                np.matmul(part, self.vectors[row : row + _ROWS].T, out=scores[:, row : row + _ROWS])
            yield scores


async def load(store: Store, *, split: str | None, labels_of: Callable[[StoredImage], Mapping[str, int]]) -> Gallery:
    """Read the whole archive.

    Args:
        store: Where it is.
        split: Only studies of this one.
        labels_of: What the truth says of an image's study.
    """
    reading, after = _Reading(labels_of), None
    while page := await store.images_after(after, limit=_PAGE):
        after = page[-1].image.image_id
        wanted = [stored for stored in page if split is None or stored.study.split == split]
        await to_thread.run_sync(reading.take, wanted)
    return reading.gallery()


@dataclass(slots=True)
class _Reading:
    """A gallery that is being read."""

    labels_of: Callable[[StoredImage], Mapping[str, int]]
    images: list[ImageId] = field(default_factory=list["ImageId"])
    study_of: list[int] = field(default_factory=list[int])
    studies: dict[StudyId, int] = field(default_factory=dict["StudyId", int])
    subjects: dict[str, int] = field(default_factory=dict[str, int])
    subject_of: list[int] = field(default_factory=list[int])
    values: list[NDArray[np.int8]] = field(default_factory=list["NDArray[np.int8]"])
    labelled: list[bool] = field(default_factory=list[bool])
    texts: dict[bytes, int] = field(default_factory=dict[bytes, int])
    text_of: list[int] = field(default_factory=list[int])
    seen: dict[bytes, int] = field(default_factory=dict[bytes, int])
    first_alike: list[int] = field(default_factory=list[int])
    damage: Damage = field(default_factory=Damage)
    same_labels: bool = True
    aside: IO[bytes] = field(default_factory=tempfile.TemporaryFile)
    dimension: int = 0

    def take(self, page: Sequence[StoredImage]) -> None:
        """Add the sound images of a page."""
        for stored in page:
            self.damage.read += 1
            if stored.external:
                self.damage.external += 1
            elif (vector := self._sound(stored.vector)) is not None:
                self._add(stored, vector)

    def _sound(self, vector: Vector | None) -> Vector | None:
        """Return a vector that can be compared; others are counted."""
        if vector is None or not vector.any():
            self.damage.zero += 1
        elif not np.isfinite(vector).all():
            self.damage.not_finite += 1
        else:
            self.damage.constant += bool((vector == vector[0]).all())
            return vector
        return None

    def _add(self, stored: StoredImage, vector: Vector) -> None:
        content = vector.tobytes()
        row = len(self.images)
        first = self.seen.setdefault(blake2b(content, digest_size=16).digest(), row)
        self.damage.duplicate += first != row
        self.first_alike.append(first)
        self.aside.write(content)
        self.dimension = vector.size
        self.images.append(stored.image.image_id)
        self.study_of.append(self._study(stored))

    def _study(self, stored: StoredImage) -> int:
        number = self.studies.setdefault(stored.image.study_id, len(self.studies))
        if number < len(self.subject_of):
            self._tell(number, stored)
            return number
        self.subject_of.append(self.subjects.setdefault(stored.image.subject_id, len(self.subjects)))
        self.values.append(np.full(len(LABELS), _SILENT, np.int8))
        self.labelled.append(False)
        self.text_of.append(self._text(stored.study.report))
        self._tell(number, stored)
        return number

    def _tell(self, number: int, stored: StoredImage) -> None:
        """Enter what the truth says of an image's study."""
        told = self.labels_of(stored)
        if not told or self.labelled[number]:
            return
        self.labelled[number] = True
        for label, value in told.items():
            self.values[number][LABELS.index(label)] = value
        own = stored.study.labels
        self.same_labels &= all(own[label] == value for label, value in told.items() if label in own)

    def _text(self, report: str | None) -> int:
        text = asked_of(report)
        if not text:
            return -1
        return self.texts.setdefault(blake2b(text.casefold().encode(), digest_size=16).digest(), len(self.texts))

    def gallery(self) -> Gallery:
        """Return what was read."""
        study_of = np.array(self.study_of, np.int64)
        by_study = np.argsort(study_of, kind="stable")
        return Gallery(
            image_ids=self.images,
            study_of=study_of,
            study_ids=list(self.studies),
            subject_of=np.array(self.subject_of, np.int64),
            values=np.array(self.values, np.int8).reshape(-1, len(LABELS)),
            labelled=np.array(self.labelled, np.bool_),
            text_of=np.array(self.text_of, np.int64),
            vectors=self._vectors(),
            damage=self.damage,
            same_labels=self.same_labels,
            _columns=np.array(self.first_alike, np.int64)[by_study],
            _starts=np.searchsorted(study_of[by_study], np.arange(len(self.studies))),
        )

    def _vectors(self) -> Vectors:
        """Return what was put aside; the file is gone once nothing holds it any more."""
        with self.aside:
            self.aside.flush()
            shape = len(self.images), self.dimension
            return np.memmap(self.aside, np.float32, "r", shape=shape) if self.images else np.empty(shape, np.float32)


def asked_of(report: str | None) -> str:
    """Return what of a report is asked for: its impression, else its findings, as one line; empty where it has none."""
    return " ".join(main_text(report).split()) if report else ""
