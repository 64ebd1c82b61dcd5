"""Counts what `forget` would remove."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from mcp_cxr.records import Filter, ForgetPreview, StudyId, SubjectId

if TYPE_CHECKING:
    from mcp_cxr.stores import Store


async def forget_preview(store: Store, where: Filter) -> ForgetPreview:
    """Return what `where` selects, and `where` with complete ids: the letter of a MIMIC id may be left out.

    Raises:
        StoreError: The store fails or was never created.
    """
    if where.study_id and where.study_id.isdigit() and not await store.count(where):
        where = replace(where, study_id=StudyId(f"s{where.study_id}"))
    if where.subject_id and where.subject_id.isdigit() and not await store.count(where):
        where = replace(where, subject_id=SubjectId(f"p{where.subject_id}"))
    return ForgetPreview(
        where,
        images=await store.count(where),
        studies=await store.count(where, distinct="study"),
        external_in_archive=await store.count_external(),
    )
