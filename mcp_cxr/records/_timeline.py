"""A patient's studies around one image, for the tool, the command line and the page alike."""

from __future__ import annotations

from typing import ClassVar, Literal

from pydantic import BaseModel, ConfigDict

TimelineOrder = Literal["earlier", "later", "same time", "time missing", "date missing"]


class TimelineStudy(BaseModel):
    """One study of the patient."""

    model_config: ClassVar[ConfigDict] = ConfigDict(frozen=True)

    study_id: str
    image_id: str
    """The image to compare with the asked one: of its view if the study has one."""
    study_date: str | None = None
    """ISO date; null for a model that is given `days_since_first_study` instead."""
    study_time: str | None = None
    """`08:05:56`; null for a model, or if it is not recorded."""
    days_since_first_study: int | None = None
    """Days since the patient's first study in the archive; null if the date is given, or if there is none."""
    days: int | None = None
    """Days after the asked study, negative before it; null if a date is missing."""
    order: TimelineOrder | None = None
    """What `days` does not say: earlier or later on the same day; or same time, time missing or date missing: which
    came first is not known."""
    views: list[str]
    """View positions of its images, the asked one's first."""
    likeness: float | None = None
    """Cosine of the two images' vectors, -1 to 1; null if one has none."""
    has_report: bool = True
    """Whether it has a report that can be read; without one nothing is known to be not mentioned."""


class PatientTimeline(BaseModel):
    """The studies of one patient that are nearest to an image, with the status of each finding."""

    model_config: ClassVar[ConfigDict] = ConfigDict(frozen=True)

    subject_id: str | None = None
    """null for a model, which knows the patient from the asked image."""
    total_studies: int
    """The patient's studies in the archive, the asked one included."""
    studies: list[TimelineStudy]
    """The asked image's study, then the others, nearest in time first."""
    findings: dict[str, list[str | None]] = {}
    """By finding and side, such as `pleural effusion, left`, one status for each of `studies`: present, possible,
    absent, or null for not mentioned. After it stands `new`, `gone`, `first mentioned` or `not mentioned since`."""
    findings_left_out: int = 0
    """Findings that were left out to keep the result short."""
    warnings: list[str] = []
