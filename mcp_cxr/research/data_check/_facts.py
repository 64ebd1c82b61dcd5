"""The facts of all images and studies that the lists compare, collected while the vectors are read."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np

from mcp_cxr.images import describes_other_body_part

if TYPE_CHECKING:
    from collections.abc import Mapping

    from numpy.typing import NDArray

    from mcp_cxr.records import ImageId, StoredImage, Study, StudyId, SubjectId

    Integers = NDArray[np.int64]

_KINDS_OF_VIEW: Mapping[str, str] = {"PA": "PA", "AP": "AP", "LATERAL": "LATERAL", "LL": "LATERAL", "RL": "LATERAL"}
_FRONTAL = ("PA", "AP")


@dataclass(frozen=True, slots=True)
class StudyFacts:
    """What is compared of one study."""

    study_id: StudyId
    subject: int
    """Its number in `ArchiveFacts.subject_ids`."""
    date: str | None
    time: str | None
    split: str | None
    sex: str | None
    age: int | None
    has_report: bool
    labels: Mapping[str, int]
    labels_by: str | None


@dataclass(slots=True)
class ArchiveFacts:
    """The images with usable vectors, numbered in the order of their ids, and their studies and subjects."""

    image_ids: list[ImageId] = field(default_factory=list["ImageId"])
    studies: list[StudyFacts] = field(default_factory=list[StudyFacts])
    subject_ids: list[SubjectId] = field(default_factory=list["SubjectId"])
    views: list[str] = field(default_factory=list[str])
    """The kind of view of each image: `PA`, `AP`, `LATERAL` for any side, `OTHER` or `UNKNOWN`."""
    other_part: list[int] = field(default_factory=list[int])
    """Images whose header names a body part that is not the chest."""
    _shown_images: list[int] = field(default_factory=list[int])
    """Of each study."""
    _study_of: list[int] = field(default_factory=list[int])
    _study_numbers: dict[StudyId, int] = field(default_factory=dict["StudyId", int])
    _subject_numbers: dict[SubjectId, int] = field(default_factory=dict["SubjectId", int])
    _shared: dict[tuple[tuple[str, int], ...], Mapping[str, int]] = field(
        default_factory=dict[tuple[tuple[str, int], ...], "Mapping[str, int]"]
    )
    """Equal labels of studies, as one object."""

    def add(self, stored: StoredImage) -> bool:
        """Add an image; return True, since its vector is wanted."""
        image = stored.image
        number = self._study_numbers.get(image.study_id)
        if number is None:
            number = self._study_numbers[image.study_id] = len(self.studies)
            self.studies.append(self._study(stored))
            self._shown_images.append(len(self.image_ids))
        if describes_other_body_part(image.tags):
            self.other_part.append(len(self.image_ids))
        self._study_of.append(number)
        self.image_ids.append(image.image_id)
        self.views.append(_KINDS_OF_VIEW.get(image.view_position, image.view_position))
        if self.views[-1] in _FRONTAL and self.views[self._shown_images[number]] not in _FRONTAL:
            self._shown_images[number] = len(self.views) - 1
        return True

    def _study(self, stored: StoredImage) -> StudyFacts:
        study, subject = stored.study, stored.image.subject_id
        known = self._subject_numbers.setdefault(subject, len(self.subject_ids))
        if known == len(self.subject_ids):
            self.subject_ids.append(subject)
        return StudyFacts(
            stored.image.study_id,
            known,
            study.study_date,
            stored.image.tags.get("StudyTime"),
            study.split,
            study.sex,
            study.age,
            study.report is not None,
            self._labels(study),
            study.labels_by,
        )

    def _labels(self, study: Study) -> Mapping[str, int]:
        return self._shared.setdefault(tuple(sorted(study.labels.items())), study.labels)

    @property
    def study_of(self) -> Integers:
        """The study of each image."""
        return np.array(self._study_of, np.int64)

    @property
    def shown_image(self) -> Integers:
        """The image that stands for each study: its first frontal one, else its first."""
        return np.array(self._shown_images, np.int64)

    @property
    def subject_of(self) -> Integers:
        """The subject of each image."""
        return np.array([one.subject for one in self.studies], np.int64)[self.study_of]

    def subject_of_study(self, study: StudyFacts) -> SubjectId:
        """Return the subject of a study."""
        return self.subject_ids[study.subject]

    def shown_image_of(self, study: StudyFacts) -> ImageId:
        """Return the image that stands for a study."""
        return self.image_ids[self._shown_images[self._study_numbers[study.study_id]]]

    def study_of_image(self, image: int) -> StudyFacts:
        """Return the study of an image by its number."""
        return self.studies[self._study_of[image]]
