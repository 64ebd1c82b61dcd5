"""Rows of a ranking."""

from __future__ import annotations

from typing import TYPE_CHECKING

from mcp_cxr.records import ImageId, RankedImage, StudyId, SubjectId

if TYPE_CHECKING:
    from collections.abc import Iterable

    from mcp_cxr.stores.iris.driver import Row


def scored(rows: Iterable[Row]) -> list[RankedImage]:
    """Return rows of image, study, subject and score as hits."""
    return [
        RankedImage(ImageId(str(image)), StudyId(str(study)), SubjectId(str(subject)), float(score))
        for image, study, subject, score in rows
    ]
