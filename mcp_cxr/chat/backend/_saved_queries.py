"""Queries that the user saved, in the data folder."""

from __future__ import annotations

import json
from contextlib import suppress
from threading import Lock
from typing import TYPE_CHECKING, Any, cast

from mcp_cxr.safe_files import replace_private_file

if TYPE_CHECKING:
    from pathlib import Path

_saved_lock = Lock()  # tabs share the file


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
        replace_private_file(_saved_path(data_dir), content.encode())


def _saved_path(data_dir: Path) -> Path:
    return data_dir / "questions.json"
