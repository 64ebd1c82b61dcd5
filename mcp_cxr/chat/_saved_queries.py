"""Questions that are kept for another day, in the data folder."""

from __future__ import annotations

import json
import secrets
from contextlib import suppress
from threading import Lock
from typing import TYPE_CHECKING, Any, cast

from mcp_cxr.files import create_private_file

if TYPE_CHECKING:
    from pathlib import Path

_one_at_a_time = Lock()  # tabs share the file


class Saved:
    """The questions of one archive, by name; readable by their owner alone.

    Args:
        data_dir: The data folder; made when something is saved.
    """

    def __init__(self, data_dir: Path) -> None:
        self._path = data_dir / "questions.json"

    def all(self) -> dict[str, dict[str, Any]]:
        """Return them in the order they were saved; a file that is no such thing counts as none."""
        with suppress(OSError, ValueError):
            found: dict[str, dict[str, Any]] | Any = json.loads(self._path.read_text(encoding="utf-8"))
            if isinstance(found, dict):
                return cast("dict[str, dict[str, Any]]", found)
        return {}

    def add(self, name: str, question: dict[str, Any]) -> None:
        """Save a question; one of the same name is replaced."""
        with _one_at_a_time:
            self._write({**self.all(), name: question})

    def remove(self, name: str) -> None:
        """Forget a question; harmless where there is none."""
        with _one_at_a_time:
            self._write({one: question for one, question in self.all().items() if one != name})

    def _write(self, questions: dict[str, dict[str, Any]]) -> None:
        draft = self._path.with_name(f"{self._path.name}.{secrets.token_hex(4)}")
        create_private_file(draft, json.dumps(questions, ensure_ascii=False, indent=1).encode())
        draft.replace(self._path)
