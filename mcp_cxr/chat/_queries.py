"""Queries as the widgets hold them, as arguments of the tool, and as a line of text."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping

FIELDS: dict[str, Any] = {
    "query": "",
    "view": [],
    "labels": [],
    "labels_absent": [],
    "has_report": None,
    "subject_id": "",
    "study_id": "",
    "split": "",
    "date_from": "",
    "date_to": "",
    "group": "study",
}
"""Arguments of `search_medical_images` that have a widget, and the value that stands for no choice."""
_NAMES = {
    "labels_absent": "without",
    "labels": "with",
    "subject_id": "patient",
    "study_id": "study",
    "date_from": "from",
    "date_to": "to",
    "group": "one a",
    "view": "",
    "split": "split",
}


def query_of(values: Mapping[str, Any], *, marks: Mapping[str, list[str]]) -> dict[str, Any]:
    """Return the tool's arguments for the values of the widgets.

    Args:
        values: Keyed by the names in `FIELDS`.
        marks: `like` and `unlike`: image ids, or paths of uploads.
    """
    given = {name: _stripped(values.get(name, empty)) for name, empty in FIELDS.items()}
    asked = {name: value for name, value in given.items() if value != FIELDS[name]}
    return asked | {name: list(examples) for name, examples in marks.items() if examples}


def widget_values(query: Mapping[str, Any]) -> dict[str, Any]:
    """Return the values of the widgets for a query."""
    return {name: query.get(name, empty) for name, empty in FIELDS.items()}


def count_filters(query: Mapping[str, Any]) -> int:
    """Return the number of filters in force."""
    return len((query.keys() & FIELDS.keys()) - {"query", "group"})


def describe_query(query: Mapping[str, Any]) -> str:
    """Return a query as one line for people."""
    parts = [f"“{query['query']}”"] if "query" in query else []
    parts += [f"{name} {_count_images(len(query[name]))}" for name in ("like", "unlike") if query.get(name)]
    if "has_report" in query:
        parts.append("with report" if query["has_report"] else "without report")
    if "exclude_subject_of" in query:
        parts.append("other patients")
    parts += [f"{word} {_listed(query[name])}".strip() for name, word in _NAMES.items() if name in query]
    return ", ".join(parts) or "everything"


def _stripped(value: Any) -> Any:  # noqa: ANN401 - what a widget holds
    return value.strip() if isinstance(value, str) else value


def _count_images(count: int) -> str:
    return f"{count} image" if count == 1 else f"{count} images"


def _listed(value: Any) -> str:  # noqa: ANN401 - what a widget holds
    return value if isinstance(value, str) else ", ".join(value)
