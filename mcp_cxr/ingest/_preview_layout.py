"""Says what an ingest of a folder would recognize, from names and tables alone."""

from __future__ import annotations

from collections import Counter
from itertools import islice
from typing import TYPE_CHECKING, Any, Final

from mcp_cxr.errors import NotFound
from mcp_cxr.ingest._plan import no_images_message
from mcp_cxr.layouts import NO_FACTS, read_layouts

if TYPE_CHECKING:
    from mcp_cxr.ingest._plan import IngestPlan
    from mcp_cxr.layouts import FileFacts, Layouts

MAX_FILES: Final = 20_000
"""Files whose names are looked at, and whose reports are opened."""


def preview_layout(plan: IngestPlan) -> dict[str, Any]:
    """Return the layouts that are recognized below a folder, the tables that join, and what they give; open no image.

    Raises:
        NotFound: No file below the path looks like an image.
        ConfigError: No layout has the plan's name.
    """
    with read_layouts(plan.folders, only=plan.layout) as layouts:
        by_layout: dict[str, Counter[str]] = {}
        files = unknown = 0
        closed: list[str] = []
        for file in islice(plan.candidates(), MAX_FILES):
            if file.is_folder:
                closed.append(file.path_text)
                continue
            files += 1
            facts = layouts.facts_of(file.path_text)
            has_report = layouts.report_of(file.path, facts) is not None
            name = layouts.layout_of(file.path_text) or ("own" if has_report else None)
            if name is None:
                unknown += 1
            else:
                by_layout.setdefault(name, Counter()).update(_given(facts), report=has_report)
        if not files:
            raise NotFound(_closed_line(closed) if closed else no_images_message(plan.path))
        return {
            "files": files,
            "unknown": unknown,
            "layouts": _described(layouts, by_layout),
            "companions": [{"file": use.file, "rows": use.rows, "joined": use.joined} for use in layouts.table_uses()],
            "notes": [*layouts.warnings(is_complete=files < MAX_FILES), *([_closed_line(closed)] if closed else [])],
        }


def _closed_line(closed: list[str]) -> str:
    return f"Folders that cannot be listed: {len(closed)}, {closed[0]} among them. Change their permissions."


def _given(facts: FileFacts) -> dict[str, int]:
    """Return which facts are known."""
    if facts is NO_FACTS:
        return {"files": 1}
    known = {
        "patient": facts.subject,
        "study": facts.study,
        "view": facts.view,
        "date": facts.study_date,
        "split": facts.split,
        "labels": facts.labels,
        "sex": facts.sex,
        "age": facts.age is not None,
    }
    return {"files": 1, **{name: int(bool(value)) for name, value in known.items()}}


def _described(layouts: Layouts, by_layout: dict[str, Counter[str]]) -> list[dict[str, Any]]:
    return [
        {
            "name": one.name,
            "title": one.title,
            **{name: count for name, count in by_layout[one.name].items() if name == "files"},
            "with": {name: count for name, count in by_layout[one.name].items() if name != "files"},
            "lacks": list(one.lacks),
            "labels_named": dict(one.label_names),
        }
        for one in layouts.descriptions()
        if one.name in by_layout
    ]
