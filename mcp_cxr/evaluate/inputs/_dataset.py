"""The archive as arrays: read once, then compared with many queries.

A page of the store also has reports and headers, so the vectors are copied to an unnamed temporary file, which vanishes
with the process. Scores are matrix products for several queries at a time, held in a block of limited size whatever the
archive's size.
"""

from __future__ import annotations

import tempfile
from collections import Counter
from dataclasses import dataclass, field
from hashlib import blake2b
from typing import IO, TYPE_CHECKING, Literal

import numpy as np
from anyio import to_thread

from mcp_cxr.language import main_text
from mcp_cxr.records import LABELS, VIEW_POSITIONS
from mcp_cxr.research.probes import fold_of

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence

    from numpy.typing import NDArray

    from mcp_cxr.evaluate.metrics import Integers, Mask
    from mcp_cxr.records import ImageId, StoredImage, StudyId, Vector, Vectors
    from mcp_cxr.stores import Store

_PAGE = 1000
_SCORES_HELD = 1 << 24
"""Scores held at once: 64 MiB, and as much again while they are ordered by study."""
_ROWS = 4096  # vectors in one product: 16 MiB of 1,024 numbers
_VIEWS = {view: number for number, view in enumerate(VIEW_POSITIONS)}
NOT_MENTIONED = -2
"""The value of a label that a labeled study does not have."""


@dataclass(frozen=True, slots=True)
class Dataset:
    """The images that can be ranked, their studies and patients, numbered in the order read; made by `load_dataset`."""

    image_ids: Sequence[ImageId]
    study_of: Integers
    """Each image's study."""
    study_ids: Sequence[StudyId]
    subject_of: Integers
    """Each study's patient."""
    fold_of: NDArray[np.int8]
    """The fold of each study's patient, as `research.probes.fold_of`."""
    view_of: NDArray[np.int8]
    """Each image's place in `records.VIEW_POSITIONS`."""
    values: NDArray[np.int8]
    """Shape (studies, labels): 1 present, 0 absent, -1 uncertain, -2 not mentioned."""
    own_values: NDArray[np.int8]
    """The same by the archive's own labels."""
    labeled: Mask
    """Studies with any label in the truth."""
    text_of: Integers
    """The number of each study's `report_query`, the same for equal texts; -1 if empty."""
    vectors: Vectors
    """Shape (images, dimension), unit length; on disk."""
    defects: Counter[str]
    """Numbers of images: all `read`, and by defect: zero, not finite, constant, duplicate (bit for bit), external."""
    archive_labels: Literal["none", "same", "other"]
    """The archive's own labels: it has none, they equal the truth wherever both have a value, or they do not."""
    _columns: Integers
    """Images ordered by study, each replaced by the first image with the same vector."""
    _starts: Integers
    """The start of each study in `_columns`."""

    @property
    def subjects(self) -> int:
        """The number of patients."""
        return len(np.unique(self.subject_of))

    def ids(self, rows: Integers) -> list[ImageId]:
        """Return the ids of images."""
        return [self.image_ids[int(row)] for row in rows]

    def label_truth(self, name: str) -> tuple[Integers, Mask]:
        """Return the studies for which the truth of a label is known, and which of them have it.

        A labeled study that does not mention the label does not have it, as in the filters of the search; uncertain
        and unlabeled studies are left out.
        """
        column = self.values[:, LABELS.index(name)]
        known = np.flatnonzero(self.labeled & (column != -1))
        return known, column[known] == 1

    def study_scores(self, queries: Vectors) -> Iterator[Vector]:
        """Yield for each query the cosine of each study's best image. Equal vectors have equal scores."""
        for scores in self._score_blocks(queries):
            yield from np.maximum.reduceat(scores[:, self._columns], self._starts, axis=1)

    def image_scores(self, queries: Vectors) -> Iterator[Vector]:
        """Yield for each query the cosine of each image."""
        for scores in self._score_blocks(queries):
            yield from scores

    def _score_blocks(self, queries: Vectors) -> Iterator[Vectors]:
        """Yield the scores of several queries with all images, shape (queries, images)."""
        count = len(self.image_ids)
        held = max(1, _SCORES_HELD // count)
        for first in range(0, len(queries), held):
            part = np.ascontiguousarray(queries[first : first + held], np.float32)
            scores = np.empty((len(part), count), np.float32)
            for row in range(0, count, _ROWS):
                np.matmul(part, self.vectors[row : row + _ROWS].T, out=scores[:, row : row + _ROWS])
            yield scores


async def load_dataset(
    store: Store, *, split: str | None, labels_of: Callable[[StoredImage], Mapping[str, int]]
) -> Dataset:
    """Read the whole archive.

    Args:
        store: The archive.
        split: Read only studies of this split.
        labels_of: Returns the true labels of an image's study.
    """
    builder, after = _DatasetBuilder(labels_of), None
    while page := await store.images_after(after, limit=_PAGE):
        after = page[-1].image.image_id
        wanted = [stored for stored in page if split is None or stored.study.split == split]
        await to_thread.run_sync(builder.add_page, wanted)
    return builder.build()


@dataclass(slots=True)
class _DatasetBuilder:
    """Collects a dataset page by page."""

    labels_of: Callable[[StoredImage], Mapping[str, int]]
    images: list[ImageId] = field(default_factory=list["ImageId"])
    study_of: list[int] = field(default_factory=list[int])
    studies: dict[StudyId, int] = field(default_factory=dict["StudyId", int])
    subjects: dict[str, int] = field(default_factory=dict[str, int])
    subject_of: list[int] = field(default_factory=list[int])
    view_of: list[int] = field(default_factory=list[int])
    own_values: list[NDArray[np.int8]] = field(default_factory=list["NDArray[np.int8]"])
    values: list[NDArray[np.int8]] = field(default_factory=list["NDArray[np.int8]"])
    texts: dict[bytes, int] = field(default_factory=dict[bytes, int])
    text_of: list[int] = field(default_factory=list[int])
    row_of_digest: dict[bytes, int] = field(default_factory=dict[bytes, int])
    first_with_vector: list[int] = field(default_factory=list[int])
    defects: Counter[str] = field(default_factory=Counter[str])
    own_labels: int = 0
    """Values of the archive's own labels."""
    compared: int = 0
    """Those for which the truth has a value, too."""
    equal: int = 0
    vectors_file: IO[bytes] = field(default_factory=tempfile.TemporaryFile)

    def add_page(self, page: Sequence[StoredImage]) -> None:
        """Add the images with usable vectors."""
        for stored in page:
            self.defects["read"] += 1
            if stored.external:
                self.defects["external"] += 1
            elif (vector := self._usable(stored.vector)) is not None:
                self._add(stored, vector)

    def _usable(self, vector: Vector | None) -> Vector | None:
        """Return a vector that can be ranked, else None; count its defects."""
        if vector is None or not vector.any():
            self.defects["zero"] += 1
        elif not np.isfinite(vector).all():
            self.defects["not finite"] += 1
        else:
            self.defects["constant"] += bool((vector == vector[0]).all())
            return vector
        return None

    def _add(self, stored: StoredImage, vector: Vector) -> None:
        content = vector.tobytes()
        row = len(self.images)
        first = self.row_of_digest.setdefault(blake2b(content, digest_size=16).digest(), row)
        self.defects["duplicate"] += first != row
        self.first_with_vector.append(first)
        self.vectors_file.write(content)
        self.images.append(stored.image.image_id)
        self.study_of.append(self._study(stored))
        self.view_of.append(_VIEWS.get(stored.image.view_position, _VIEWS["UNKNOWN"]))

    def _study(self, stored: StoredImage) -> int:
        number = self.studies.setdefault(stored.image.study_id, len(self.studies))
        if number == len(self.subject_of):
            self.subject_of.append(self.subjects.setdefault(stored.image.subject_id, len(self.subjects)))
            self.values.append(np.full(len(LABELS), NOT_MENTIONED, np.int8))
            self.own_values.append(_row(_of_chexpert(stored.study.labels)))
            self.text_of.append(self._text(stored.study.english_report))
        self._add_labels(number, stored)
        return number

    def _add_labels(self, number: int, stored: StoredImage) -> None:
        """Set the true labels of an image's study; labels of other names than CheXpert's are not measured."""
        labels, own = _of_chexpert(self.labels_of(stored)), _of_chexpert(stored.study.labels)
        values = self.values[number]
        self.own_labels += len(own)
        if not labels or (values != NOT_MENTIONED).any():
            return
        values[:] = _row(labels)
        self.compared += len(own.keys() & labels.keys())
        self.equal += len(own.items() & labels.items())

    def _text(self, report: str | None) -> int:
        text = report_query(report)
        if not text:
            return -1
        return self.texts.setdefault(blake2b(text.casefold().encode(), digest_size=16).digest(), len(self.texts))

    def build(self) -> Dataset:
        """Return the dataset."""
        study_of = np.array(self.study_of, np.int64)
        by_study = np.argsort(study_of, kind="stable")
        values = np.array(self.values, np.int8).reshape(-1, len(LABELS))
        return Dataset(
            image_ids=self.images,
            study_of=study_of,
            study_ids=list(self.studies),
            subject_of=np.array(self.subject_of, np.int64),
            fold_of=np.array([fold_of(subject) for subject in self.subjects], np.int8)[self.subject_of],
            view_of=np.array(self.view_of, np.int8),
            values=values,
            own_values=np.array(self.own_values, np.int8).reshape(-1, len(LABELS)),
            labeled=(values != NOT_MENTIONED).any(axis=1),
            text_of=np.array(self.text_of, np.int64),
            vectors=self._vectors(),
            defects=self.defects,
            archive_labels=self._archive_labels(),
            _columns=np.array(self.first_with_vector, np.int64)[by_study],
            _starts=np.searchsorted(study_of[by_study], np.arange(len(self.studies))),
        )

    def _archive_labels(self) -> Literal["none", "same", "other"]:
        if not self.own_labels:
            return "none"
        return "same" if 0 < self.compared == self.equal else "other"

    def _vectors(self) -> Vectors:
        """Return the vectors of the file, which vanishes with the last reference to them."""
        with self.vectors_file:
            self.vectors_file.flush()
            if not self.images:
                return np.empty((0, 0), np.float32)
            return np.memmap(self.vectors_file, np.float32, "r").reshape(len(self.images), -1)


def _row(labels: Mapping[str, int]) -> NDArray[np.int8]:
    """Return the values of all labels."""
    return np.array([labels.get(label, NOT_MENTIONED) for label in LABELS], np.int8)


def _of_chexpert(labels: Mapping[str, int]) -> dict[str, int]:
    return {name: value for name, value in labels.items() if name in LABELS}


def report_query(report: str | None) -> str:
    """Return the text of a report to use as a query: its impression, else its findings, as one line; may be empty."""
    return " ".join(main_text(report).split()) if report else ""
