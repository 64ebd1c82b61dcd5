"""The archive as training data of probes: vectors, the truth of each label, and the fold of each image's patient."""

from __future__ import annotations

from array import array
from dataclasses import dataclass, field
from hashlib import blake2b
from typing import TYPE_CHECKING, TypeAlias

import numpy as np

from mcp_cxr.records import LABELS
from mcp_cxr.research.probes._moments import FOLDS
from mcp_cxr.research.vectors import read_vectors

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from mcp_cxr.records import ImageId, StoredImage, SubjectId, Vectors
    from mcp_cxr.research.probes._moments import Folds, Truth
    from mcp_cxr.stores import Store

    Integers: TypeAlias = NDArray[np.int64]

MIN_POSITIVES, MIN_SUBJECTS = 50, 20
"""Images with a label, and patients they are of, below which no probe is learned; the same holds without it."""
NEEDED = f"a probe needs {MIN_POSITIVES} images of {MIN_SUBJECTS} patients with it, and as many without"
_UNKNOWN = -1


def fold_of(subject_id: str) -> int:
    """Return the fold of a patient, 0 to `FOLDS` - 1: the same in every archive, whatever else it holds."""
    return int.from_bytes(blake2b(subject_id.encode(), digest_size=8).digest()) % FOLDS


@dataclass(frozen=True, slots=True)
class Examples:
    """All images that can be ranked, in the order of their ids."""

    image_ids: Sequence[ImageId]
    vectors: Vectors
    """Shape (images, dimension), unit length; on disk."""
    subject_of: Integers
    """Shape (images,): the number of each image's patient."""
    folds: Folds
    """Shape (images,)."""
    labels: tuple[str, ...]
    """Labels that any study of the archive has, CheXpert's first."""
    truth: Truth
    """Shape (images, labels): 1 present; 0 absent or, in a labeled study, not mentioned; -1 uncertain or unlabeled."""
    uncertain: dict[str, int]
    """Images of which each label is uncertain."""
    positives_only: int
    """Labeled images whose table names only what is present."""

    def too_few(self) -> dict[str, str]:
        """Return the labels that cannot be learned, each with the reason."""
        return too_few_examples(self.labels, self.truth, self.subject_of)


def too_few_examples(labels: Sequence[str], truth: Truth, subject_of: Integers) -> dict[str, str]:
    """Return the labels that cannot be learned, each with the reason.

    Args:
        labels: Names of the columns.
        truth: Shape (images, labels): 1 with the label, 0 without, -1 if that is not known.
        subject_of: The patient of each image, as any number.
    """
    found: dict[str, str] = {}
    for column, label in enumerate(labels):
        for value, what in ((1, "present"), (0, "absent")):
            has = truth[:, column] == value
            subjects = len(np.unique(subject_of[has]))
            if label not in found and (has.sum() < MIN_POSITIVES or subjects < MIN_SUBJECTS):
                found[label] = f"{what} in {has.sum()} images of {subjects} patients"
    return found


async def read_examples(store: Store) -> Examples:
    """Read all vectors and labels of an archive.

    Raises:
        StoreError: The store fails or was never made.
    """
    reader = ExampleReader()
    read = await read_vectors(store, reader.add)
    return reader.examples(read.image_ids, read.vectors)


@dataclass(slots=True)
class ExampleReader:
    """Collects the facts of images while their vectors are read; equal labels of studies are kept once."""

    given: dict[tuple[tuple[str, int], ...], int] = field(default_factory=dict[tuple[tuple[str, int], ...], int])
    subjects: dict[SubjectId, int] = field(default_factory=dict["SubjectId", int])
    given_of: array[int] = field(default_factory=lambda: array("q"))
    subject_of: array[int] = field(default_factory=lambda: array("q"))
    positives_only: int = 0

    def add(self, stored: StoredImage) -> bool:
        """Add an image."""
        study = stored.study
        self.given_of.append(self.given.setdefault(tuple(sorted(study.labels.items())), len(self.given)))
        self.subject_of.append(self.subjects.setdefault(stored.image.subject_id, len(self.subjects)))
        self.positives_only += study.positives_only and bool(study.labels)
        return True

    def examples(self, image_ids: Sequence[ImageId], vectors: Vectors) -> Examples:
        """Return what was read."""
        given_of, subject_of = np.array(self.given_of, np.int64), np.array(self.subject_of, np.int64)
        labels = self._labels()
        truth = np.full((len(self.given), len(labels)), _UNKNOWN, np.int8)
        columns = {label: column for column, label in enumerate(labels)}
        for row, given in zip(truth, self.given, strict=True):
            if given:
                row[:] = 0
            for label, value in given:
                row[columns[label]] = value
        labeled = np.array([bool(given) for given in self.given], np.bool_)
        images = np.bincount(given_of, minlength=len(self.given))
        uncertain = images[labeled] @ (truth[labeled] == _UNKNOWN)
        folds = np.array([fold_of(subject) for subject in self.subjects], np.int8)
        return Examples(
            image_ids,
            vectors,
            subject_of,
            folds[subject_of],
            labels,
            truth[given_of],
            dict(zip(labels, uncertain.tolist(), strict=True)),
            self.positives_only,
        )

    def _labels(self) -> tuple[str, ...]:
        names = {label for given in self.given for label, _ in given}
        return tuple(sorted(names, key=lambda label: (LABELS.index(label) if label in LABELS else len(LABELS), label)))
