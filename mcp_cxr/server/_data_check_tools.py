"""Tools for the page of `mcp-cxr chat`: the last check of the data, and the owner's decisions about its entries."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Annotated, Any

from anyio import to_thread
from mcp.server.mcpserver import Context
from mcp_types import CallToolResult
from pydantic import Field

from mcp_cxr.server._strict_tool import state_of, tool_result

Name = Annotated[str, Field(min_length=1)]


@dataclass(frozen=True)
class DataCheckPage:
    """The last check, and some entries of one of its lists."""

    date: str
    images: int
    studies: int
    subjects: int
    lists: list[dict[str, Any]]
    """All lists without their entries: `name`, `title`, `total`, `kept`, `decided`, `not_made`, `notes`."""
    list: str
    """The list whose entries follow."""
    offset: int
    entries: list[dict[str, Any]]


@dataclass(frozen=True)
class DataCheckDecision:
    """A decision that was kept."""

    key: str
    decision: str | None


async def get_data_check(
    context: Context[Any, Any],
    list: str | None = None,  # noqa: A002 - the argument's name
    offset: Annotated[int, Field(ge=0)] = 0,
    limit: Annotated[int, Field(ge=1, le=100)] = 24,
) -> CallToolResult:
    """Return the lists of the last check of the data, and entries of one; by default the first with any."""
    files = (await state_of(context).archive()).data_check_files()
    check = await to_thread.run_sync(files.read_check)
    shown = check.list_named(list or "") or next((one for one in check.lists if one.entries), check.lists[0])
    lists = [
        {
            "name": one.name,
            "title": one.title,
            "total": one.total,
            "kept": len(one.entries),
            "decided": sum(entry.decision is not None for entry in one.entries),
            "not_made": one.not_made,
            "notes": one.notes,
        }
        for one in check.lists
    ]
    entries = [asdict(entry) for entry in shown.entries[offset : offset + limit]]
    page = DataCheckPage(check.date, check.images, check.studies, check.subjects, lists, shown.name, offset, entries)
    return tool_result(page)


async def decide_about_data(context: Context[Any, Any], key: Name, decision: str | None = None) -> CallToolResult:
    """Keep a decision about an entry: right, wrong or ignore; null takes it back. Nothing in the archive changes."""
    files = (await state_of(context).archive()).data_check_files()
    await to_thread.run_sync(files.decide, key, decision)
    return tool_result(DataCheckDecision(key, decision))
