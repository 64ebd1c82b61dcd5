"""Finds the ids of the archive that the words of a query name."""

from __future__ import annotations

import re
from dataclasses import replace
from typing import TYPE_CHECKING

from mcp_cxr.records import Filter, ImageId, StudyId, SubjectId
from mcp_cxr.stores import with_mimic_prefixes

if TYPE_CHECKING:
    from mcp_cxr.language.query import TextFilters
    from mcp_cxr.stores import Store

_LISTED = re.compile(r"\s*[,;&]\s*|\s+(?:or|and)\s+|\s+", re.IGNORECASE)
_ID_OF = re.compile(
    r"^(?:stud(?:y|ies)|patients?|subjects?|images?)(?:[\s_]*(?:id|no|number)\b)?[\s.:=#]*", re.IGNORECASE
)


async def with_stored_ids(text_filters: TextFilters, store: Store) -> TextFilters:
    """Return the filters with the ids that are mere numbers as the archive writes them: `s50414267`."""
    subject, study = text_filters.subject_id or "", text_filters.study_id or ""
    if not (subject.isdigit() or study.isdigit()):
        return text_filters
    stored = await with_mimic_prefixes(store, Filter(subject_id=SubjectId(subject), study_id=StudyId(study)))
    return replace(text_filters, subject_id=stored.subject_id or None, study_id=stored.study_id or None)


async def identified_by(text: str, store: Store) -> Filter | None:
    """Return the filter for a text that is an id of a study, a patient or an image, or a list of such ids."""
    words = listed_ids(text)
    if not words or not all(any(char.isdigit() for char in word) for word in words):
        return None
    word = words[0]
    for where in (
        Filter(study_id=StudyId(word)),
        Filter(subject_id=SubjectId(word)),
        Filter(image_id=ImageId(word)),
    ):
        if await store.count(spelled := await with_mimic_prefixes(store, where)):
            return spelled
    return None


def listed_ids(text: str) -> list[str]:
    """Return the ids of a list: "50000001, 50000002 or 50000003"."""
    return [word for word in _LISTED.split(_ID_OF.sub("", text.strip())) if word]
