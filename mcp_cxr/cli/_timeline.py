"""mcp-cxr timeline."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from mcp_cxr.cli._common import as_tool_json, note, print_result, with_archive
from mcp_cxr.cli._option_names import with_option_names
from mcp_cxr.errors import QueryError

if TYPE_CHECKING:
    from collections.abc import Iterator

    from mcp_cxr.records import PatientTimeline, TimelineStudy


@click.command()
@click.argument("image_id")
@click.option("--limit", type=int, default=10, show_default=True, help="Number of other studies, 1 to 100.")
@click.option("--before", metavar="STUDY|DATE", help="Only studies before this one of the patient, or before a date.")
@as_tool_json
def timeline(image_id: str, *, limit: int, before: str | None, as_json: bool) -> None:
    """Show what changed in a patient's studies around an image."""
    try:
        shown = with_archive(lambda archive: archive.timeline(image_id, limit=limit, before=before))
    except QueryError as exc:
        raise QueryError(with_option_names(str(exc), click.get_current_context().command)) from exc
    print_result(shown, _lines(shown), as_json=as_json)
    if as_json:
        return
    for warning in shown.warnings:
        note(f"Note: {warning}")
    total = "1 study" if shown.total_studies == 1 else f"{shown.total_studies} studies"
    note(f"{len(shown.studies)} of {total} of patient {shown.subject_id}, closest in time first.")
    if shown.findings:
        note("The numbers beside a finding are those of the studies; a study without a status does not mention it.")


def _lines(shown: PatientTimeline) -> Iterator[str]:
    """Yield a table of the studies, and for each finding its status in each of them by number."""
    rows = [("", "date", "days", "views", "cosine", "study", "image", ""), *map(_row, range(1, 200), shown.studies)]
    widths = [max(len(row[column]) for row in rows) for column in range(len(rows[0]))]
    yield from ("  ".join(f"{cell:<{width}}" for cell, width in zip(row, widths, strict=True)).rstrip() for row in rows)
    if shown.findings:
        yield ""
    width = max(map(len, shown.findings), default=0)
    for name, statuses in shown.findings.items():
        cells = [f"{number} {status}" for number, status in enumerate(statuses, start=1) if status]
        yield f"{name:<{width}}  {'; '.join(cells)}"


def _row(number: int, study: TimelineStudy) -> tuple[str, ...]:
    return (
        str(number),
        " ".join(filter(None, [study.study_date or "no date", study.study_time])),
        "" if study.days is None else f"{study.days:+d}" if study.days else "0",
        ", ".join(study.views),
        "" if study.likeness is None else f"{study.likeness:.3f}",
        study.study_id,
        study.image_id,
        "; ".join(filter(None, [study.order, None if study.has_report else "no report"])),
    )
