"""Finds studies and subjects of MIMIC whose letter was left out."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from mcp_cxr.records import Filter, mimic_study_id, mimic_subject_id

if TYPE_CHECKING:
    from mcp_cxr.stores._base import Store


async def with_mimic_letters(store: Store, where: Filter) -> Filter:
    """Return `where` with MIMIC's letter before ids of digits alone, unless the archive has them as they are.

    Raises:
        StoreError: The store fails or was never made.
    """
    study, subject = where.study_id, where.subject_id
    if study and study.isdigit() and not await store.count(Filter(study_id=study)):
        where = replace(where, study_id=mimic_study_id(study))
    if subject and subject.isdigit() and not await store.count(Filter(subject_id=subject)):
        where = replace(where, subject_id=mimic_subject_id(subject))
    return where
