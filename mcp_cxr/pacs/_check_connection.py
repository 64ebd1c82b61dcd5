"""Checks the connection to a PACS in steps: a query, the instances of one study, one file."""

from __future__ import annotations

import datetime as dt
from typing import TYPE_CHECKING, Final

from anyio import to_thread

from mcp_cxr.errors import CxrError
from mcp_cxr.pacs._choose_instances import is_report, why_passed_over
from mcp_cxr.pacs._fetch import check_file
from mcp_cxr.pacs._query_and_answers import PacsQuery

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from mcp_cxr.pacs._query_and_answers import PacsInstance, PacsSource, PacsStudy
    from mcp_cxr.pacs._spool import Spool

_DAYS: Final = (1, 7, 30, 365, 3650)
"""How far back a study is looked for; a PACS has millions, so few days come first."""
_STUDIES_TRIED: Final = 5


async def check_pacs(source: PacsSource, spool: Spool) -> AsyncIterator[tuple[str, str | None]]:
    """Yield each step with what was found, and what to do if it failed; nothing follows a step that failed.

    Args:
        source: The PACS.
        spool: Where the one file is written; it is removed.
    """
    query = PacsQuery()
    try:
        studies = await _recent(source, query)
    except CxrError as exc:
        yield "query", str(exc)
        return
    if not studies:
        yield "query: no study of ten years with DX or CR", "Check the URL, and what the account may see."
        return
    yield "query: studies found", None
    try:
        instance = await _an_image(source, studies, query)
        if instance is None:
            yield "instances: no chest X-ray in the newest studies", None
            return
        study, image = instance
        yield "instances: listed", None
        size = await _fetch_one(source, spool, study, image)
    except CxrError as exc:
        yield "retrieval", str(exc)
        return
    yield f"retrieval: one file of {size / 1e6:.1f} MB", None


async def _recent(source: PacsSource, query: PacsQuery) -> list[PacsStudy]:
    """Return some studies of the last days; of more days only if there is none."""
    today = dt.datetime.now(dt.UTC).date()
    for days in _DAYS:
        found = PacsQuery(since=today - dt.timedelta(days=days), modalities=query.modalities)
        async for page in source.studies(found):
            if page:
                return list(page[:_STUDIES_TRIED])
    return []


async def _an_image(
    source: PacsSource, studies: list[PacsStudy], query: PacsQuery
) -> tuple[PacsStudy, PacsInstance] | None:
    for study in studies:
        for instance in await source.instances(study):
            if not is_report(instance) and why_passed_over(instance, query) is None:
                return study, instance
    return None


async def _fetch_one(source: PacsSource, spool: Spool, study: PacsStudy, image: PacsInstance) -> int:
    await to_thread.run_sync(spool.prepare)
    draft = spool.draft()
    try:
        size = await source.fetch(image, draft)
        await to_thread.run_sync(check_file, draft, study, image)
    finally:
        await to_thread.run_sync(lambda: draft.unlink(missing_ok=True))
    return size
