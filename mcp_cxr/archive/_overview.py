"""Counts what an archive holds; if it is empty, says which folders may be ingested and what to do next."""

from __future__ import annotations

from typing import TYPE_CHECKING

from mcp_cxr.errors import StoreMissing
from mcp_cxr.records import Overview, Totals

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from mcp_cxr.settings import StoreKind
    from mcp_cxr.stores import Store

_EMPTY = "Nothing has been stored in this archive yet."
_NOTHING = Totals(images=0, studies=0, subjects=0, external=0, by_view={}, by_label={})


async def count_archive(store: Store, *, kind: StoreKind, embedder: str, roots: Sequence[Path]) -> Overview:
    """Return the archive's counts; an archive that was never created has zeros.

    Args:
        store: Holds the archive.
        kind: Its name in the settings.
        embedder: Name of the configured embedder, which is not asked.
        roots: Folders that may be ingested.

    Raises:
        StoreError: The store fails.
    """
    try:
        totals, info = await store.totals(), await store.info()
    except StoreMissing:
        totals, info = _NOTHING, None
    made_with = info.fingerprint if info else None
    next_step = made_with.other_model_advice(embedder) if made_with else None
    if not totals.images:
        next_step = " ".join(filter(None, [next_step, _next_step(roots)]))
    return Overview(
        images=totals.images,
        studies=totals.studies,
        subjects=totals.subjects,
        external=totals.external,
        by_view=dict(totals.by_view),
        by_label=dict(totals.by_label),
        embedder={"configured": embedder, "fingerprint": made_with.facts if made_with else None},
        store={"kind": kind, "schema_version": info.schema_version if info else None},
        roots=[] if totals.images else [str(root) for root in roots],
        next=next_step,
    )


def _next_step(roots: Sequence[Path]) -> str:
    if roots:
        return f"{_EMPTY} Run `mcp-cxr ingest PATH`, or call the tool ingest_directory with a folder of roots."
    return f"{_EMPTY} Run `mcp-cxr ingest PATH`, or set MCP_CXR_ROOTS to the folders that ingest_directory may add."
