"""Queries: as arguments of the tool, as a line of text, and saved in the data folder."""

from __future__ import annotations

import json
import secrets
from contextlib import suppress
from threading import Lock
from typing import TYPE_CHECKING, Any, cast

from mcp_cxr.safe_files import create_private_file

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

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
    "sex": "",
    "age_from": None,
    "age_to": None,
    "group": "study",
    "mode": "auto",
}
"""Arguments of `search_medical_images` that have a widget, and the value that means no choice."""
GROUPS = {"study": "study", "subject": "patient", "none": "image"}
"""Values of `group`, and what gets one result each."""
MODES = {"auto": "words and pixels", "words": "words alone", "vector": "pixels alone"}
"""Values of `mode`, and what is compared."""
_NAMES = {
    "labels_absent": "without",
    "labels": "with",
    "subject_id": "patient",
    "study_id": "study",
    "date_from": "from",
    "date_to": "to",
    "view": "",
    "split": "split",
    "sex": "sex",
    "age_from": "age from",
    "age_to": "age to",
}
_saved_lock = Lock()  # tabs share the file


def query_of(values: Mapping[str, Any], *, marks: Mapping[str, list[str]]) -> dict[str, Any]:
    """Return the tool's arguments for the values of the widgets.

    Args:
        values: Keyed by the names in `FIELDS`.
        marks: `like` and `unlike`: image ids, or paths of uploads.
    """
    stripped = {name: value.strip() if isinstance(value, str) else value for name, value in values.items()}
    given = {name: value for name, value in stripped.items() if value != FIELDS[name]}
    return given | {name: list(examples) for name, examples in marks.items() if examples}


def count_filters(query: Mapping[str, Any]) -> int:
    """Return the number of filters in force."""
    return len((query.keys() & FIELDS.keys()) - {"query", "group", "mode"})


def describe_query(query: Mapping[str, Any]) -> str:
    """Return a query as one line for people."""
    parts = [f"“{query['query']}”"] if "query" in query else []
    examples = {"like": "more like", "unlike": "not like"}
    parts += [f"{words} {_count_images(len(query[name]))}" for name, words in examples.items() if query.get(name)]
    if "has_report" in query:
        parts.append("with report" if query["has_report"] else "without report")
    if "exclude_subject_of" in query:
        parts.append("other patients")
    parts += [f"{word} {_listed(query[name])}".strip() for name, word in _NAMES.items() if name in query]
    if "group" in query:
        parts.append(f"one result per {GROUPS[query['group']]}")
    if "mode" in query:
        parts.append(f"by {MODES[query['mode']]}")
    return ", ".join(parts) or "everything"


def saved_queries(data_dir: Path) -> dict[str, dict[str, Any]]:
    """Return the saved queries by name, in order; an unreadable file counts as none."""
    with suppress(OSError, ValueError):
        found: Any = json.loads(_saved_path(data_dir).read_text(encoding="utf-8"))
        if isinstance(found, dict):
            return cast("dict[str, dict[str, Any]]", found)
    return {}


def save_query(data_dir: Path, name: str, query: dict[str, Any] | None) -> None:
    """Save a query in a file that only its owner can read; one of the same name is replaced.

    Args:
        data_dir: The data folder; created with the first saved query.
        name: Unique.
        query: None: the query of this name is removed.
    """
    with _saved_lock:
        queries = {**saved_queries(data_dir), name: query}
        content = json.dumps(
            {name: one for name, one in queries.items() if one is not None}, ensure_ascii=False, indent=1
        )
        path = _saved_path(data_dir)
        draft = path.with_name(f"{path.name}.{secrets.token_hex(4)}")
        create_private_file(draft, content.encode())
        draft.replace(path)


def _saved_path(data_dir: Path) -> Path:
    return data_dir / "questions.json"


def _count_images(count: int) -> str:
    return f"{count} image" if count == 1 else f"{count} images"


def _listed(value: Any) -> str:  # noqa: ANN401 - what a widget holds
    return value if isinstance(value, str) else ", ".join(value)
