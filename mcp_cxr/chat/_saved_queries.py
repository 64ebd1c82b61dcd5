"""Saved queries, in the data folder."""

from __future__ import annotations

import json
import secrets
from contextlib import suppress
from threading import Lock
from typing import TYPE_CHECKING, Any, cast

from mcp_cxr.files import create_private_file

if TYPE_CHECKING:
    from pathlib import Path

_file_lock = Lock()  # tabs share the file


class SavedQueries:
    """The saved queries of one archive, by name; the file is readable by its owner alone.

    Args:
        data_dir: The data folder; created with the first saved query.
    """

    def __init__(self, data_dir: Path) -> None:
        self._path = data_dir / "questions.json"

    def all(self) -> dict[str, dict[str, Any]]:
        """Return the saved queries in order; an unreadable file counts as none."""
        with suppress(OSError, ValueError):
            found: dict[str, dict[str, Any]] | Any = json.loads(self._path.read_text(encoding="utf-8"))
            if isinstance(found, dict):
                return cast("dict[str, dict[str, Any]]", found)
        return {}

    def add(self, name: str, query: dict[str, Any]) -> None:
        """Save a query; one of the same name is replaced."""
        with _file_lock:
            self._write({**self.all(), name: query})

    def remove(self, name: str) -> None:
        """Remove a query, if it exists."""
        with _file_lock:
            self._write({one: query for one, query in self.all().items() if one != name})

    def _write(self, queries: dict[str, dict[str, Any]]) -> None:
        draft = self._path.with_name(f"{self._path.name}.{secrets.token_hex(4)}")
        create_private_file(draft, json.dumps(queries, ensure_ascii=False, indent=1).encode())
        draft.replace(self._path)
