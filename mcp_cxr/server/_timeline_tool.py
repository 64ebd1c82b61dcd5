"""The tool get_patient_timeline."""

from __future__ import annotations

from typing import Annotated, Any

from mcp.server.mcpserver import Context
from mcp_types import CallToolResult
from pydantic import Field

from mcp_cxr.records import PatientTimeline
from mcp_cxr.server._image_tools import ImageIdArgument
from mcp_cxr.server._redact_dates import redact_dates_of_timeline, require_date_allowed
from mcp_cxr.server._redaction import shorten_timeline, timeline_has_untrusted_text
from mcp_cxr.server._strict_tool import state_of, tool_result


async def get_patient_timeline(
    context: Context[Any, Any],
    image_id: ImageIdArgument,
    limit: Annotated[int, Field(description="Other studies, nearest first.", ge=1, le=100)] = 10,
    before: Annotated[
        str | None, Field(description="Only studies before this study_id or date.", max_length=255)
    ] = None,
) -> Annotated[CallToolResult, PatientTimeline]:
    """The patient's studies nearest in time to an image, and how findings changed. studies: the asked one first; days:
    after it; image_id: the one to compare; likeness: cosine to the asked image. findings: one status per study, in
    their order; null: not mentioned, which is not absent. Say new or gone only if a status does.
    """
    state = state_of(context)
    archive = await state.archive()
    await require_date_allowed(before, archive, state.share)
    timeline = await archive.timeline(await state.image_id(image_id), limit=limit, before=before)
    timeline = await redact_dates_of_timeline(timeline, archive, state.share)
    return tool_result(
        shorten_timeline(timeline, state.share), has_untrusted_text=timeline_has_untrusted_text(timeline)
    )
