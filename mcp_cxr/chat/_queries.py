"""Questions as widgets hold them, as the tool takes them, and as they are told in a line."""

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
"""Arguments of `search_medical_images` that have a widget, and what each holds where nothing is asked."""
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


def question_of(values: Mapping[str, Any], *, marks: Mapping[str, list[str]]) -> dict[str, Any]:
    """Return the tool's arguments for what widgets hold.

    Args:
        values: By the names of `FIELDS`.
        marks: `like` and `unlike`: image ids, or paths of uploads.
    """
    given = {name: _stripped(values.get(name, empty)) for name, empty in FIELDS.items()}
    asked = {name: value for name, value in given.items() if value != FIELDS[name]}
    return asked | {name: list(examples) for name, examples in marks.items() if examples}


def values_of(question: Mapping[str, Any]) -> dict[str, Any]:
    """Return what the widgets hold for a question: the other way round."""
    return {name: question.get(name, empty) for name, empty in FIELDS.items()}


def filters_in(question: Mapping[str, Any]) -> int:
    """Return how many filters are in force."""
    return len((question.keys() & FIELDS.keys()) - {"query", "group"})


def title_of(question: Mapping[str, Any]) -> str:
    """Return a question in a line, for people."""
    said = [f"“{question['query']}”"] if "query" in question else []
    said += [f"{name} {_films(len(question[name]))}" for name in ("like", "unlike") if question.get(name)]
    if "has_report" in question:
        said.append("with report" if question["has_report"] else "without report")
    if "exclude_subject_of" in question:
        said.append("other patients")
    said += [f"{word} {_listed(question[name])}".strip() for name, word in _NAMES.items() if name in question]
    return ", ".join(said) or "everything"


def _stripped(value: Any) -> Any:  # noqa: ANN401 - what a widget holds
    return value.strip() if isinstance(value, str) else value


def _films(count: int) -> str:
    return f"{count} film" if count == 1 else f"{count} films"


def _listed(value: Any) -> str:  # noqa: ANN401 - what a widget holds
    return value if isinstance(value, str) else ", ".join(value)
