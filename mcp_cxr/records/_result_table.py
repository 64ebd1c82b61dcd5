"""The rows of a result as a table for spreadsheets and programs, the same from the command line and the page."""

from __future__ import annotations

from typing import TYPE_CHECKING, cast

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from mcp_cxr.records._search_result import Hit

RESULT_COLUMNS = (
    *("rank", "image_id", "study_id", "subject_id", "study_date", "view_position", "labels", "matched", "missing"),
    *("path", "why", "similarity_score", "question", "filters", "fingerprint", "searched_at"),
)
"""Columns of `result_row`; the last four are the same in all rows of one search."""


def result_row(
    hit: Hit, *, question: str, filters: Mapping[str, object], fingerprint: str, searched_at: str
) -> list[object]:
    """Return the cells of one hit, in the order of `RESULT_COLUMNS`.

    Args:
        hit: As its owner is given it, with the path of the file.
        question: What was searched for, without filters.
        filters: Those in force, as the result has them.
        fingerprint: What the archive's vectors were made with, as text.
        searched_at: ISO time in UTC.
    """
    labels = "; ".join(f"{name}={value}" for name, value in hit.labels.items())
    return [
        *(hit.rank, hit.image_id, hit.study_id, hit.subject_id, hit.study_date, hit.view_position, labels, hit.matched),
        *("; ".join(hit.missing), hit.path, "; ".join(hit.why), hit.similarity_score),
        *(question, listed(filters), fingerprint, searched_at),
    ]


def listed(arguments: Mapping[str, object]) -> str:
    """Return arguments of a search on one line: `view: PA, AP; sex: F`."""
    return "; ".join(f"{name}: {_text(value)}" for name, value in arguments.items() if value not in (None, (), []))


def _text(value: object) -> str:
    return ", ".join(map(str, cast("Iterable[object]", value))) if isinstance(value, list | tuple) else str(value)
