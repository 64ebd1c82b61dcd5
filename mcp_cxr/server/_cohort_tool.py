"""The tool make_cohort."""

from __future__ import annotations

from typing import Annotated, Any

from mcp.server.mcpserver import Context
from mcp_types import CallToolResult
from pydantic import Field

from mcp_cxr.records import CohortMatch, CohortRequest, CohortSummary
from mcp_cxr.server._redact_dates import require_date_filters_allowed
from mcp_cxr.server._redaction import OWNER_SEES_PATHS, cohort_has_untrusted_text
from mcp_cxr.server._search_tool import Names
from mcp_cxr.server._strict_tool import state_of, tool_result

_FILTER = Field(description="As in search")


async def make_cohort(
    context: Context[Any, Any],
    name: Annotated[str, Field(description="1 to 40 of a-z, 0-9, -")],
    query: Annotated[str | None, _FILTER] = None,
    view: Annotated[Names, _FILTER] = [],
    labels: Annotated[Names, _FILTER] = [],
    labels_absent: Annotated[Names, _FILTER] = [],
    date_from: Annotated[str | None, _FILTER] = None,
    date_to: Annotated[str | None, _FILTER] = None,
    sex: Annotated[str | None, _FILTER] = None,
    age_from: Annotated[int | None, _FILTER] = None,
    age_to: Annotated[int | None, _FILTER] = None,
    has_report: Annotated[bool | None, _FILTER] = None,
    matched: Annotated[CohortMatch, Field(description="part: partial matches too")] = "full",
    per_subject: Annotated[int | None, Field(description="Images per patient", ge=1)] = None,
    split: Annotated[str | None, Field(description="official, none or 70/10/20")] = None,
    seed: Annotated[int, Field(description="Of draws")] = 0,
    balance: Annotated[str | None, Field(description="Label to balance")] = None,
) -> Annotated[CallToolResult, CohortSummary]:
    """Freeze a selection of images, split by patient, as a named cohort that the user can export. Tell the user splits
    and warnings.
    """
    request = CohortRequest(
        name,
        query,
        view=view,
        labels=labels,
        labels_absent=labels_absent,
        date_from=date_from,
        date_to=date_to,
        sex=sex,
        age_from=age_from,
        age_to=age_to,
        has_report=has_report,
        matched=matched,
        per_subject=per_subject,
        split=split,
        seed=seed,
        balance=balance,
    )
    from mcp_cxr.research.cohorts import summary_of  # numpy is not read before the handshake

    state = state_of(context)
    archive = await state.archive()
    await require_date_filters_allowed(request.search_arguments, archive, state.share)
    cohort = await archive.make_cohort_with(
        request,
        built_by="owner" if OWNER_SEES_PATHS in state.share else "model",
        searchable_words="archive" if "reports" in state.share else "findings",
        named_below=await state.named_below(),
    )
    summary = summary_of(cohort)
    return tool_result(summary, has_untrusted_text=cohort_has_untrusted_text(summary))
