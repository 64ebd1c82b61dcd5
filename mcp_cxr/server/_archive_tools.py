"""The tools get_archive_overview and ingest_directory."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Annotated, Any, get_type_hints

from mcp.server.mcpserver import Context
from mcp_types import CallToolResult
from pydantic import Field

from mcp_cxr.records import LABELS, IngestSummary, Overview
from mcp_cxr.server._redaction import OWNER_SEES_PATHS, redact_ingest_summary, redact_labels_and_splits, redact_overview
from mcp_cxr.server._strict_tool import state_of, tool_result

if TYPE_CHECKING:
    from mcp_cxr.ingest import IngestProgress

_GRACE_S = 3.0  # after the time limit; hosts give a call 60 s or more, and a service that hangs must not use them up
_TIME_IS_UP = "Not finished: call ingest_directory again with the same arguments to continue."


_Summary = type(
    "IngestSummary",
    (),
    {"__annotations__": {name.rstrip("_"): hint for name, hint in get_type_hints(IngestSummary).items()}},
)
"""`IngestSummary` with the names that `to_json` gives its fields, for the tool's schema."""


async def get_archive_overview(context: Context[Any, Any]) -> Annotated[CallToolResult, Overview]:
    """What the archive holds: images, studies, patients, how many by view position and by label, its embedder, and how
    many images another program wrote (external; not searched). If it is empty, roots may be ingested, and next is the
    next step.
    """
    state = state_of(context)
    archive = await state.archive()
    overview = redact_overview(await archive.overview(), state.share)
    return tool_result(overview, has_untrusted_text=not set(overview.by_label) <= set(LABELS))


async def ingest_directory(
    context: Context[Any, Any],
    path: Annotated[str, Field(description="Folder on this machine, below a root of the archive.", min_length=1)],
    limit: Annotated[int | None, Field(description="At most this many files, in path order.", ge=1)] = None,
    dry_run: Annotated[bool, Field(description="Only count what would be added.")] = False,
) -> Annotated[CallToolResult, _Summary]:
    """Add a folder of chest X-rays (DICOM, PNG, JPEG) to the archive, with the MIMIC-CXR reports and CSV files beside
    it. Files already in the archive are skipped. It returns within 40 seconds; if next is not null, call it again with
    the same arguments to continue. Bad files are counted by reason.
    """
    from mcp_cxr.ingest import IngestCallbacks, StopSignal

    state = state_of(context)
    archive = await state.archive()
    loop = asyncio.get_running_loop()
    stop_signal = StopSignal(deadline=loop.time() + state.ingest_time_limit_s + _GRACE_S)

    reported = 0

    async def report_progress(progress: IngestProgress) -> None:
        nonlocal reported
        if progress.processed <= reported:  # the protocol requires increasing values
            return
        reported = progress.processed
        done = f"added {progress.added}, skipped {progress.skipped}, errors {progress.errors}"
        if left_out := progress.recorded_bad + progress.other_file_same_id:
            done += f", left out {left_out}"
        await context.report_progress(progress.processed, progress.found, done)

    timer = loop.call_later(state.ingest_time_limit_s, stop_signal.stop, _TIME_IS_UP)
    try:
        callbacks = IngestCallbacks(on_progress=report_progress)
        summary = await archive.ingest(
            path, limit=limit, dry_run=dry_run, stop_signal=stop_signal, callbacks=callbacks, require_root=True
        )
    finally:
        timer.cancel()
    if OWNER_SEES_PATHS not in state.share:
        summary = redact_ingest_summary(redact_labels_and_splits(summary, state.share))
    return tool_result(summary, has_untrusted_text=bool(summary.notes or summary.companions))
