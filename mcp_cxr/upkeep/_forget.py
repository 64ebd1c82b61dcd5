"""Counts what `forget` would remove."""

from __future__ import annotations

from typing import TYPE_CHECKING

from mcp_cxr.records import ForgetPreview
from mcp_cxr.stores import with_mimic_letters

if TYPE_CHECKING:
    from mcp_cxr.records import Filter
    from mcp_cxr.stores import Store


async def forget_preview(store: Store, where: Filter) -> ForgetPreview:
    """Return what `where` selects, and `where` with complete ids: the letter of a MIMIC id may be left out.

    Raises:
        StoreError: The store fails or was never created.
    """
    where = await with_mimic_letters(store, where)
    return ForgetPreview(
        where,
        images=await store.count(where),
        studies=await store.count(where, distinct="study"),
        external_in_archive=await store.count_external(),
    )
